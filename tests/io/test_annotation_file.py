"""Label images are laid onto the slide exactly, or refused with both shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from napari_ims_tumor.annotation.annotation import Annotation
from napari_ims_tumor.errors import LabelsError
from napari_ims_tumor.io.annotation_file import read_groups, read_labels, write_labels
from napari_ims_tumor.msi.pixel_grid import PixelGrid

LABELS = np.array([[0, 1, 2, 0], [2, 2, 1, 0], [1, 0, 0, 2]], np.uint8)


def grid(origin=(0, 0), shape=(3, 4)) -> PixelGrid:
    rows, columns = (a.ravel() for a in np.indices(shape))
    return PixelGrid(rows, columns, shape, (50.0, 50.0), origin)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    labels=arrays(
        np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)
    ),
    suffix=st.sampled_from([".npy", ".png", ".tif", ".tiff"]),
)
def test_what_is_written_is_read(tmp_path, labels, suffix):
    pixels = grid(shape=labels.shape)
    write_labels(tmp_path / f"a{suffix}", Annotation(labels), pixels)
    read, notices = read_labels(tmp_path / f"a{suffix}", pixels)
    assert np.array_equal(read.labels, labels)
    assert notices == ()


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_sections_are_kept_apart(tmp_path, suffix):
    planes = np.repeat([0, 1, 2], 4)
    pixels = PixelGrid(np.tile([0, 0, 1, 1], 3), np.tile([0, 1], 6), (2, 2), planes=planes)
    labels = np.arange(12).reshape(3, 2, 2) % 3
    write_labels(tmp_path / f"a{suffix}", Annotation(labels), pixels)
    assert np.array_equal(read_labels(tmp_path / f"a{suffix}", pixels)[0].labels, labels)
    with pytest.raises(LabelsError, match="one section"):
        write_labels(tmp_path / "a.png", Annotation(labels), pixels)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8", ">i2", "?"])
def test_every_integer_type(tmp_path, dtype):
    labels = (LABELS > 0) if dtype == "?" else LABELS
    np.save(tmp_path / "a.npy", labels.astype(dtype))
    read, _ = read_labels(tmp_path / "a.npy", grid())
    assert np.array_equal(read.labels, labels)


def save_palette(path: Path) -> None:
    image = Image.fromarray(LABELS, mode="L").convert("P")
    image.putdata(LABELS.ravel().tolist())
    image.putpalette([0, 0, 0, 0, 114, 178, 213, 94, 0] + [0] * 759)
    image.save(path)


PNG_WRITERS = {
    "palette": save_palette,
    "16 bit": lambda path: Image.fromarray(LABELS.astype(np.uint16)).save(path),
    "gray as rgb": lambda path: Image.fromarray(np.dstack([LABELS] * 3)).save(path),
    "gray as rgba": lambda path: Image.fromarray(
        np.dstack([LABELS] * 3 + [np.full_like(LABELS, 255)])
    ).save(path),
    "bits": lambda path: Image.fromarray(LABELS > 0).save(path),
}


@pytest.mark.parametrize("kind", PNG_WRITERS)
def test_pictures_of_every_kind_hold_class_numbers_not_colors(tmp_path, kind):
    PNG_WRITERS[kind](tmp_path / "a.png")
    read, _ = read_labels(tmp_path / "a.png", grid())
    assert np.array_equal(read.labels, LABELS > 0 if kind == "bits" else LABELS)


def test_a_color_picture_is_refused(tmp_path):
    colors = np.array([[0, 0, 0], [0, 114, 178], [213, 94, 0]], np.uint8)[LABELS]
    Image.fromarray(colors).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", colors, photometric="rgb")
    for name in ("a.png", "a.tif"):
        with pytest.raises(LabelsError, match=f"{name} is a color picture"):
            read_labels(tmp_path / name, grid())


def test_an_absolute_image_is_cropped_at_the_origin_with_a_notice(tmp_path):
    whole = np.zeros((60, 50), np.int32)
    whole[20:23, 30:34] = LABELS
    whole[0, 0] = 1
    np.save(tmp_path / "a.npy", whole)
    read, notices = read_labels(tmp_path / "a.npy", grid(origin=(20, 30)))
    assert np.array_equal(read.labels, LABELS)
    assert "(60, 50)" in notices[0]
    assert "row 20, column 30" in notices[0]
    assert "1 labelled pixels lay outside" in notices[0]


def test_labels_of_a_larger_slide_are_refused_where_nothing_says_that_they_belong(tmp_path):
    larger = np.zeros((5, 6), np.uint8)
    larger[:3, :4] = LABELS
    np.save(tmp_path / "a.npy", larger)
    assert np.array_equal(read_labels(tmp_path / "a.npy", grid())[0].labels, LABELS)
    larger[4, :3] = 1
    np.save(tmp_path / "a.npy", larger)
    with pytest.raises(LabelsError, match=r"3 of 10 labelled pixels of a.npy.* another slide's"):
        read_labels(tmp_path / "a.npy", grid())
    # Cores of a whole array may lie beyond the part of it that is a slide.
    assert read_groups(tmp_path / "a.npy", grid()).shape == (3, 4)


def test_the_bounding_box_wins_where_both_readings_fit(tmp_path):
    np.save(tmp_path / "a.npy", LABELS)
    read, notices = read_labels(tmp_path / "a.npy", grid(origin=(0, 0)))
    assert np.array_equal(read.labels, LABELS)
    assert not notices


@pytest.mark.parametrize("shape", [(4, 3), (22, 34), (3, 4, 2), (12,), (2, 3, 4)])
def test_another_shape_is_refused_with_both(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(LabelsError) as caught:
        read_labels(tmp_path / "a.npy", grid(origin=(20, 30)))
    assert str(shape) in str(caught.value)
    assert "(3, 4)" in str(caught.value)


def test_negative_origins_are_never_cropped_at(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((50, 50), np.uint8))
    with pytest.raises(LabelsError):
        read_labels(tmp_path / "a.npy", grid(origin=(-5, 2)))


def test_whole_floats_are_read_with_a_notice_and_others_refused(tmp_path):
    np.save(tmp_path / "a.npy", LABELS.astype(np.float32))
    read, notices = read_labels(tmp_path / "a.npy", grid())
    assert np.array_equal(read.labels, LABELS)
    assert "float32" in notices[0]
    for bad in (0.5, np.nan, np.inf):
        np.save(tmp_path / "a.npy", np.full((3, 4), bad))
        with pytest.raises(LabelsError, match="not whole numbers"):
            read_labels(tmp_path / "a.npy", grid())


@pytest.mark.parametrize("value", [3, 255, 256, -1, 2**40])
def test_an_unknown_class_is_named_with_its_file(tmp_path, value):
    np.save(tmp_path / "a.npy", np.full((3, 4), value))
    with pytest.raises(LabelsError, match=f"a.npy: .*unknown value {value}"):
        read_labels(tmp_path / "a.npy", grid())


def test_damaged_missing_and_foreign_files_give_one_sentence(tmp_path):
    np.save(tmp_path / "pickle.npy", np.array([{"code": 1}]), allow_pickle=True)
    for name in ("empty.npy", "empty.png", "empty.tif"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n123")
    for name in ("pickle.npy", "empty.npy", "empty.png", "empty.tif", "cut.png"):
        with pytest.raises(LabelsError, match=f"{name} cannot be read"):
            read_labels(tmp_path / name, grid())
    with pytest.raises(LabelsError, match="no such file"):
        read_labels(tmp_path / "none.npy", grid())
    with pytest.raises(LabelsError, match=r"end in \.npy"):
        read_labels(tmp_path / "labels.jpg", grid())


def test_groups_may_be_any_whole_numbers(tmp_path):
    groups = np.arange(12).reshape(3, 4) * 1000 - 3
    np.save(tmp_path / "g.npy", groups)
    read = read_groups(tmp_path / "g.npy", grid())
    assert read.dtype == np.int64
    assert np.array_equal(read, groups)


def test_labels_of_another_slide_are_not_written(tmp_path):
    with pytest.raises(LabelsError, match=r"\(3, 4\).*\(5, 5\)"):
        write_labels(tmp_path / "a.npy", Annotation(LABELS), grid(shape=(5, 5)))
    assert not list(tmp_path.iterdir())


@pytest.mark.real_data
def test_the_labels_of_the_bladder_array_and_its_color_picture(real_data):
    folder = real_data / "bladder_tma1"
    labels = np.load(folder / "TMA1_labels.npy")
    read, _ = read_labels(folder / "TMA1_labels.npy", grid(shape=labels.shape))
    assert np.array_equal(read.labels, labels)
    with pytest.raises(LabelsError, match="color picture"):
        read_labels(folder / "TMA1_labels.png", grid(shape=labels.shape))


def test_files_that_only_look_like_an_array(tmp_path: Path) -> None:
    pixels = PixelGrid(np.zeros(2, int), np.arange(2), (1, 2))
    path = tmp_path / "labels.npy"
    huge = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 100000000), }"
    archive = tmp_path / "archive.npz"
    np.savez(archive, np.zeros((1, 2), np.uint8))
    damaged = b"\x93NUMPY\x01\x00\x80\x00" + huge.ljust(127) + b"\n"
    for content in (b"hello, this is a text", archive.read_bytes(), damaged, b"\x93NUMPY", b""):
        path.write_bytes(content)
        with pytest.raises(LabelsError, match="cannot be read") as refused:
            read_labels(path, pixels)
        # Advice to unpickle would be advice to run what is in the file.
        assert "pickle" not in str(refused.value)
