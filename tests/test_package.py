"""The package as a whole: its version, what importing it costs, what the wheel's manifest is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import napari_ims_tumor

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "napari",
    "qtpy",
    "PyQt6",
    "PySide6",
    "magicgui",
    "superqt",
    "pyqtgraph",
    "sklearn",
)


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh process holds after running ``code``."""
    probe = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_version_is_the_installed_one() -> None:
    assert napari_ims_tumor.__version__ == metadata.version("napari-ims-tumor")


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = modules_after("import napari_ims_tumor")
    assert "napari_ims_tumor" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_asking_for_help_loads_no_torch_and_no_window() -> None:
    loaded = modules_after(
        "from napari_ims_tumor.cli import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['--help'])"
    )
    assert loaded.isdisjoint(HEAVY)


def test_public_names_exist() -> None:
    assert set(napari_ims_tumor.__all__) <= set(dir(napari_ims_tumor))
    for name in napari_ims_tumor.__all__:
        assert getattr(napari_ims_tumor, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = napari_ims_tumor.no_such_name  # type: ignore[attr-defined]


def test_command_and_manifest_are_registered() -> None:
    entries = metadata.distribution("napari-ims-tumor").entry_points
    found = {(e.group, e.name): e.value for e in entries}
    assert found["console_scripts", "ims-tumor"] == "napari_ims_tumor.cli:main"
    assert found["napari.manifest", "napari-ims-tumor"] == "napari_ims_tumor:napari.yaml"


def test_top_level_manifest_is_the_packaged_one() -> None:
    packaged = ROOT / "src" / "napari_ims_tumor" / "napari.yaml"
    link = ROOT / "napari.yaml"
    # git on Windows without symlinks checks the link out as a file that holds its target.
    text = link.read_text(encoding="utf-8")
    assert text in (packaged.read_text(encoding="utf-8"), "src/napari_ims_tumor/napari.yaml")


def test_every_library_the_code_imports_is_a_declared_dependency() -> None:
    imported = set[str]()
    for path in (ROOT / "src").rglob("*.py"):
        imported |= third_party_imports(path.read_text(encoding="utf-8"))
    providers = metadata.packages_distributions()
    declared = {
        re.split(r"[^\w.-]", line)[0].lower()
        for line in metadata.requires("napari-ims-tumor") or ()
        if "extra ==" not in line
    }
    undeclared = {
        name for name in imported if declared.isdisjoint(d.lower() for d in providers[name])
    }
    assert not undeclared


def third_party_imports(code: str) -> set[str]:
    """Top-level names of other people's packages that a module imports, anywhere in it."""
    found = set[str]()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            found.add(node.module.partition(".")[0])
    return found - {"napari_ims_tumor"} - set(sys.stdlib_module_names)
