from __future__ import annotations

import numpy as np
import pytest

from napari_ims_tumor.errors import MemoryBudgetError
from napari_ims_tumor.msi import memory_budget
from napari_ims_tumor.msi.memory_budget import SMALLEST, VARIABLE, MemoryBudget


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("2GB", 2 * 10**9),
        ("500MB", 500 * 10**6),
        ("1.5GiB", 3 * 2**29),
        (" 1.5 gb ", 15 * 10**8),
        ("256000KB", SMALLEST),
        ("1TiB", 2**40),
    ],
)
def test_amounts_are_read(text, nbytes):
    assert MemoryBudget.parse(text).nbytes == nbytes
    assert MemoryBudget.of(text) == MemoryBudget(nbytes)


@pytest.mark.parametrize("text", ["", "2", "GB", "two GB", "2 apples", "-2GB", "1e9GB", "2GBs"])
def test_nonsense_is_told_what_would_be_right(text):
    with pytest.raises(MemoryBudgetError) as error:
        MemoryBudget.parse(text)
    assert str(error.value) == (
        f"{text!r} is no amount of memory: write 2GB, 500MB or 1.5GiB; the smallest that works is "
        "256 MB"
    )


def test_too_little_is_told_the_smallest_that_works():
    with pytest.raises(MemoryBudgetError) as error:
        MemoryBudget.parse("20MB")
    assert str(error.value) == (
        "20 MB of memory are too little for a slide: the smallest that works is 256 MB"
    )


def test_the_environment_names_the_usual_budget(monkeypatch):
    monkeypatch.setenv(VARIABLE, "3GB")
    assert MemoryBudget.of(None) == MemoryBudget(3 * 10**9)
    assert MemoryBudget.of("1GB") == MemoryBudget(10**9)
    monkeypatch.setenv(VARIABLE, "much")
    with pytest.raises(MemoryBudgetError, match="The variable IMS_TUMOR_MEMORY: 'much' is no"):
        MemoryBudget.usual()


@pytest.mark.parametrize(
    ("there", "taken"), [(8 * 10**9, 2 * 10**9), (10**12, 4 * 10**9), (10**8, SMALLEST)]
)
def test_otherwise_it_is_a_quarter_of_the_memory_up_to_4_gb(monkeypatch, there, taken):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(memory_budget, "memory_of_process", lambda: there)
    assert MemoryBudget.usual().nbytes == taken


def test_the_machine_has_some_memory():
    assert 2**27 < memory_budget.memory_of_process() <= memory_budget._of_machine() < 2**50


def test_a_budget_is_shared_out_and_no_more():
    budget = MemoryBudget(4 * 10**9)
    assert budget.of_a_slide + budget.of_matrices < budget.nbytes
    assert str(budget) == "4 GB"


def test_bytes_are_a_budget_and_other_things_are_none() -> None:
    assert MemoryBudget.of(2_000_000_000) == MemoryBudget.parse("2GB")
    assert MemoryBudget.of(np.int64(2_000_000_000)) == MemoryBudget.parse("2GB")
    for wrong in (2e9, True, ["2GB"]):
        with pytest.raises(MemoryBudgetError, match="is no amount of memory"):
            MemoryBudget.of(wrong)
    with pytest.raises(MemoryBudgetError, match="too little"):
        MemoryBudget.of(2)
