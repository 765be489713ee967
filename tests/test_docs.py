"""The documentation is true: its commands parse, its Python compiles, its names exist."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import napari_ims_tumor as ims
from napari_ims_tumor.cli.main import parser
from napari_ims_tumor.model.config import NETWORKS, NetworkConfig
from napari_ims_tumor.model.weight_shapes import network_facts, parameter_count

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"(?:`|^)make ([a-z]+)", re.MULTILINE)


def blocks(*languages: str) -> Iterator[tuple[Path, str]]:
    """Fenced blocks of all pages in one of the languages."""
    for page in PAGES:
        for _, language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language in languages:
                yield page, code


COMMANDS = sorted(
    {
        line.split("#")[0].replace("[--json]", "--json").strip()
        for _, code in blocks("sh", "bat")
        for line in code.splitlines()
        if line.strip().startswith("ims-tumor ")
    }
)


def test_the_pages_show_commands() -> None:
    shown = {command.split()[1] for command in COMMANDS}
    assert shown == {
        "info", "check", "ion-image", "export", "labels", "fit", "predict", "explain", "evaluate",
        "simulate", "cache",
    }  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_shown_command_is_understood(command: str) -> None:
    given = parser().parse_args(shlex.split(command)[1:])
    assert callable(given.run)


def test_every_make_target_shown_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {name for page in PAGES for name in MAKE.findall(page.read_text(encoding="utf-8"))}
    assert {"setup", "demo", "test", "check"} <= named
    assert named <= targets


def test_every_command_and_option_is_on_its_page_and_says_what_it_is() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, command in commands().items():
        section = re.search(rf"^## {name}:.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section is not None, name
        for action in command._actions:
            assert action.help, f"ims-tumor {name}: {action.dest} says nothing"
            for option in action.option_strings:
                # These are said once, for all commands.
                known = option in ("-h", "--help", "--output", "--memory")
                assert known or f"`{option}" in section[0] or f" {option} " in section[0], (
                    f"ims-tumor {name} {option} is not described"
                )


def commands() -> dict[str, argparse.ArgumentParser]:
    [found] = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)


def test_every_public_name_is_on_both_pages_on_python() -> None:
    for page in ("python.md", "reference.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert [n for n in ims.__all__ if not re.search(rf"\b{n}\b", text)] == [], page


def test_every_page_and_decision_is_listed_where_readers_look() -> None:
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    index = (ROOT / "docs" / "decisions" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.relative_to(ROOT / "docs").as_posix() in listed
        is_decision = page.parent.name == "decisions" and page.name != "index.md"
        assert not is_decision or f"({page.name})" in index


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_says_in_words_what_it_shows(page: Path) -> None:
    words = re.findall(r"!\[([^\]]*)\]\(", page.read_text(encoding="utf-8"))
    assert [text for text in words if len(text.split()) < 3] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_shown_python_compiles_and_uses_public_names() -> None:
    for page, code in blocks("python"):
        tree = ast.parse(code, filename=str(page))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "ims" or node.attr in ims.__all__, (
                    f"{page.name}: {node.attr}"
                )


def test_architecture_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "napari_ims_tumor"
    named = re.findall(
        r"`((?:msi|annotation|model|io|session|cohort|viewer|widgets|cli|demo)/[\w/.]+)`", text
    )
    assert len(named) > 10
    assert [name for name in named if not (source / name).exists()] == []


def test_the_table_of_networks_is_what_is_built() -> None:
    text = (ROOT / "docs" / "classifier.md").read_text(encoding="utf-8")
    rows = {}
    for network in NETWORKS:
        _, row = re.search(rf"^\| (`{network}`) \|(.*)\|$", text, re.MULTILINE).groups()
        rows[network] = [cell.strip() for cell in row.split("|")]
    for network, (_, _, stride, *numbers) in rows.items():
        built = [NetworkConfig.for_axis(network, bins, 2) for bins in (593, 12_000)]
        expected = [f"{parameter_count(config):,}" for config in built]
        expected += [f"{config.receptive_field:,}" for config in built]
        assert numbers == (expected if network != "linear" else [*expected[:2], "–", "–"])
        strides = dict.fromkeys(str(network_facts(c)["network stride in bins"]) for c in built)
        assert stride == " and ".join(strides) or network == "linear"
