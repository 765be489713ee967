from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_ims_tumor.model.shared_switch import SharedSwitch


def test_a_switch_is_turned_by_the_first_and_turned_back_by_the_last() -> None:
    log: list[str] = []

    @contextmanager
    def turned() -> Iterator[int]:
        log.append("on")
        yield len(log)
        log.append("off")

    switch = SharedSwitch(turned)
    one, other = switch.held(), switch.held()
    with one as found:
        assert other.__enter__() == found == 1
        assert log == ["on"]
    assert log == ["on"], "another still needs it"
    other.__exit__(None, None, None)
    assert log == ["on", "off"]
    with switch.held():
        assert log == ["on", "off", "on"], "it can be turned again"
