"""How much memory the data of slides may take in this process."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Final, TypeAlias

from napari_ims_tumor.errors import MemoryBudgetError

VARIABLE: Final = "IMS_TUMOR_MEMORY"
SMALLEST: Final = 256 * 10**6
"""What a block of spectra takes while it is read, binned and shown to a network."""
LARGEST_BY_DEFAULT: Final = 4 * 10**9
_SHARE: Final = 4
_UNKNOWN_MACHINE: Final = 8 * 10**9
_UNITS: Final = {
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_NO_LIMIT: Final = 2**60
"""Above this a limit of the system means that there is none."""


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """A number of bytes for spectra, what is worked out from them, and the blocks they come in.

    The program itself (Python, NumPy, and torch where a network is used) comes on top.

    Attributes
    ----------
    nbytes
        At least :data:`SMALLEST`.
    """

    nbytes: int

    def __post_init__(self) -> None:
        if self.nbytes < SMALLEST:
            raise MemoryBudgetError(
                f"{_words(self.nbytes)} of memory are too little for a slide: the smallest that "
                f"works is {_words(SMALLEST)}"
            )

    def __str__(self) -> str:
        return _words(self.nbytes)

    @classmethod
    def parse(cls, text: str) -> MemoryBudget:
        """Read ``"2GB"``, ``"500MB"`` or ``"1.5GiB"``.

        Raises
        ------
        MemoryBudgetError
            Nonsense, or too little.
        """
        match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([kmgt]i?b)\s*", text.lower())
        if match is None:
            raise MemoryBudgetError(
                f"{text!r} is no amount of memory: write 2GB, 500MB or 1.5GiB; the smallest that "
                f"works is {_words(SMALLEST)}"
            )
        return cls(min(int(float(match[1]) * _UNITS[match[2]]), _NO_LIMIT))

    @classmethod
    def of(cls, given: GivenBudget) -> MemoryBudget:
        """Make a budget of what somebody named: words, bytes, a budget, or nothing at all."""
        if given is None:
            return cls.usual()
        if isinstance(given, str):
            return cls.parse(given)
        return given if isinstance(given, cls) else cls(_whole_bytes(given))

    @classmethod
    def usual(cls) -> MemoryBudget:
        """What the environment names in ``IMS_TUMOR_MEMORY``, else a quarter of the memory.

        Of the memory that this process may have, and at most 4 GB.
        """
        named = os.environ.get(VARIABLE)
        if named:
            try:
                return cls.parse(named)
            except MemoryBudgetError as error:
                raise MemoryBudgetError(f"The variable {VARIABLE}: {error}.") from None
        return cls(max(SMALLEST, min(memory_of_process() // _SHARE, LARGEST_BY_DEFAULT)))

    @property
    def of_a_slide(self) -> int:
        """Bytes that one open slide may keep for itself."""
        return self.nbytes // 4

    @property
    def of_matrices(self) -> int:
        """Bytes that matrices of spectra may take in memory; blocks take the rest."""
        return self.nbytes // 2

    @property
    def of_kept_bins(self) -> int:
        """Bytes of :attr:`of_matrices` that may hold a slide's spectra between two fits."""
        return self.of_matrices // 2


GivenBudget: TypeAlias = MemoryBudget | str | int | None
"""What a user may name: ``"2GB"``, or bytes; ``None`` is the usual budget."""


def _whole_bytes(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral):
        raise MemoryBudgetError(
            f"{given!r} is no amount of memory: write '2GB', '500MB' or a whole number of bytes"
        )
    return min(int(given), _NO_LIMIT)


def memory_of_process() -> int:
    """Bytes of memory that this process may have: of the machine, its container, its limits."""
    return min(_of_machine(), _of_container(), _of_limits())


def _of_machine() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _of_windows()


def _of_windows() -> int:
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    try:
        ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(  # type: ignore[attr-defined]
            ctypes.byref(kilobytes)
        )
    except (AttributeError, OSError):
        return _UNKNOWN_MACHINE
    return kilobytes.value * 1024 or _UNKNOWN_MACHINE


def _of_container() -> int:
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text("ascii")
        return int(text)
    except (OSError, ValueError):
        return _NO_LIMIT


def _of_limits() -> int:
    try:
        import resource
    except ImportError:
        return _NO_LIMIT
    named = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    limits = [resource.getrlimit(limit)[0] for limit in named]
    return min((limit for limit in limits if 0 < limit < _NO_LIMIT), default=_NO_LIMIT)


def _words(nbytes: int) -> str:
    return f"{nbytes / 1e9:.3g} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.3g} MB"
