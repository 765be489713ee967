"""``ims-tumor cache`` lists what is kept and removes it."""

from __future__ import annotations

import json
import os

import numpy as np

from napari_ims_tumor.cli import main
from napari_ims_tumor.io.cache_folder import CacheFolder


def test_the_cache_is_listed_and_cleared(tmp_path, capsys, slide_cache) -> None:
    files = tmp_path / "liver.imzML", tmp_path / "liver.ibd"
    for path in files:
        path.write_text("a slide")
        os.utime(path, (1_600_000_000, 1_600_000_000))
    entry = CacheFolder.of_user().entry_of(*files)
    assert entry is not None
    entry.write("seen", 1, {}, {"numbers": np.zeros(10**6)})
    assert main(["cache", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(slide_cache)
    assert found["limit"] == 20 * 10**9
    assert [slide["slide"] for slide in found["slides"]] == ["liver"]
    assert 8 * 10**6 < found["bytes"] < 8 * 10**6 + 1000
    assert main(["cache"]) == 0
    said = capsys.readouterr().out
    assert "8.0 MB  liver" in said
    assert str(slide_cache) in said
    assert main(["cache", "--clear"]) == 0
    assert "removed 8.0 MB from" in capsys.readouterr().err
    assert main(["cache", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["slides"] == []
    assert all(path.exists() for path in files)
