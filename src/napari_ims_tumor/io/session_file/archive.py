"""The container: a zip of one JSON text, plain arrays and a model's bytes, never unpacked to disk.

The same content gives the same bytes. What is read is held to what was said: a member's name, its
type and its size are known before it is inflated, so a small file cannot grow without bound.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_ims_tumor.errors import SessionFileError

TEXT: Final = "session.json"
MODEL: Final = "model.safetensors"
ARRAY: Final = re.compile(r"slides/\d{1,4}/[a-z]{1,20}\.npy")
MAX_MEMBERS: Final = 5_000
MAX_TEXT_BYTES: Final = 32 * 2**20
MAX_MODEL_BYTES: Final = 2**30
MAX_ARRAY_BYTES: Final = 4 * 2**30
"""Of all arrays together: labels and probabilities, not spectra."""

DAMAGED: Final = "the session file is cut off or damaged: copy it again from where it came"
FOREIGN: Final = "not a session file of this program"

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_NPY_MAGIC: Final = b"\x93NUMPY\x01\x00"
_NPY_FIXED: Final = 10
_NPY_HEADER: Final = 1024
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError)

Shape = tuple[str, tuple[int, ...]]
"""(numpy's name of a type, shape)."""


@dataclass(frozen=True, eq=False)
class Archive:
    """What lies in a session file.

    Attributes
    ----------
    about
        The JSON text.
    arrays
        Member name → array.
    model
        The bytes of a model file.
    """

    about: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    model: bytes | None = None


def write_archive(file: IO[bytes], archive: Archive) -> None:
    """Write a container; nothing of the clock or the machine goes into it."""
    text = json.dumps(archive.about, sort_keys=True, allow_nan=False, indent=1)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as members:
        _add(members, TEXT, text.encode())
        if archive.model is not None:
            _add(members, MODEL, archive.model)
        for name in sorted(archive.arrays):
            _add(members, name, _npy(archive.arrays[name]))


class ArchiveReader:
    """Reads a container member by member.

    Raises
    ------
    SessionFileError
        What is wrong with it, without the file's name.
    """

    def __init__(self, file: IO[bytes]) -> None:
        if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            raise SessionFileError(FOREIGN)
        try:
            self._members = zipfile.ZipFile(file)
        except _BROKEN as error:
            raise SessionFileError(DAMAGED) from error
        self._sizes = _checked(self._members.infolist())

    def about(self) -> dict[str, Any]:
        """Read the JSON text."""
        if TEXT not in self._sizes:
            raise SessionFileError(f"a zip file, but {FOREIGN}")
        try:
            about = json.loads(self._read(TEXT, MAX_TEXT_BYTES))
        except (ValueError, RecursionError) as error:
            raise SessionFileError(DAMAGED) from error
        if not isinstance(about, dict):
            raise SessionFileError(DAMAGED)
        return about

    def model(self) -> bytes | None:
        """Read the bytes of the model, if there is one."""
        return self._read(MODEL, MAX_MODEL_BYTES) if MODEL in self._sizes else None

    def arrays(self, expected: Mapping[str, Shape]) -> dict[str, NDArray[Any]]:
        """Read the arrays that the text speaks of, and make sure that there are no others."""
        if expected.keys() != self._sizes.keys() - {TEXT, MODEL}:
            raise SessionFileError("the session file lacks images, or holds foreign ones")
        nbytes = {name: _nbytes(*shape) for name, shape in expected.items()}
        if sum(nbytes.values()) > MAX_ARRAY_BYTES:
            raise SessionFileError(
                f"the images in the session file would take {sum(nbytes.values()) / 2**30:,.1f} GB "
                f"(the limit is {MAX_ARRAY_BYTES / 2**30:.0f} GB): it was not opened"
            )
        return {
            name: _array(self._read(name, nbytes[name] + _NPY_HEADER), *expected[name])
            for name in sorted(expected)
        }

    def _read(self, name: str, most: int) -> bytes:
        if self._sizes[name] > most:
            raise SessionFileError(
                f"{name} in the session file is larger than it can be: it was not opened"
            )
        try:
            return self._members.read(name)
        except (*_BROKEN, RuntimeError, OSError) as error:
            raise SessionFileError(DAMAGED) from error


def _add(members: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3
    info.external_attr = 0o600 << 16
    members.writestr(info, content, compresslevel=6)


def _checked(members: list[zipfile.ZipInfo]) -> dict[str, int]:
    """Names and sizes of the members, all of which must be ones this program writes."""
    sizes = {member.filename: member.file_size for member in members}
    if len(members) > MAX_MEMBERS or len(sizes) != len(members):
        raise SessionFileError(DAMAGED)
    if members and TEXT not in sizes:
        raise SessionFileError(f"a zip file, but {FOREIGN}")
    for member in members:
        known = member.filename in (TEXT, MODEL) or ARRAY.fullmatch(member.filename)
        plain = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if not known or not plain or member.flag_bits & 1:
            raise SessionFileError(f"{FOREIGN}: it holds {member.filename[:80]!r}")
    return sizes


def _npy(array: NDArray[Any]) -> bytes:
    content = io.BytesIO()
    values = np.ascontiguousarray(array)
    np.lib.format.write_array(content, values, version=(1, 0), allow_pickle=False)
    return content.getvalue()


def _nbytes(kind: str, shape: tuple[int, ...]) -> int:
    # Python's whole numbers: a shape that overflows must not come out small.
    size = np.dtype(kind).itemsize
    for length in shape:
        size *= length
    return size


def _array(content: bytes, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Read one array; its header must say what is expected and is not interpreted any further."""
    wanted = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    begin = _NPY_FIXED + int.from_bytes(content[8:_NPY_FIXED], "little")
    header, data = content[_NPY_FIXED:begin], content[begin:]
    sound = content.startswith(_NPY_MAGIC) and header.decode("latin-1").strip() == wanted
    if not sound or len(data) != _nbytes(kind, shape):
        raise SessionFileError("an image in the session file has the wrong shape")
    values: NDArray[Any] = np.frombuffer(data, np.dtype(kind)).reshape(shape)
    return values
