from __future__ import annotations

import hashlib
import json
import pickle
import struct
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ims_tumor.errors import ImsTumorError, ModelFileError
from napari_ims_tumor.model.checkpoint import (
    DIGEST,
    METADATA_KEY,
    model_bytes,
    read_model,
    write_model,
)
from napari_ims_tumor.model.config import NETWORKS, PLAIN, Network, NetworkConfig
from napari_ims_tumor.model.fitted_model import CNN_PREFIX, EpochRecord, FittedModel
from napari_ims_tumor.model.predicting import predict_matrix
from napari_ims_tumor.model.preparation import AS_IT_IS, Preparation
from napari_ims_tumor.model.weight_shapes import weight_shapes
from napari_ims_tumor.msi.mass_axis import MassAxis


def some_model(network: str = "default", bins: int = 40) -> FittedModel:
    rng = np.random.default_rng(0)
    config = NetworkConfig.for_axis(network, bins, 2)  # type: ignore[arg-type]
    weights = {
        name: np.abs(rng.normal(size=shape)).astype(np.float32) + 0.1
        for name, shape in weight_shapes(config).items()
    }
    return FittedModel(
        weights, config, MassAxis(np.arange(bins) + 100.5), ("healthy", "tumor"),
        blend={"default": 0.5, "linear": 0.0}.get(network, 1.0), temperature=1.25,
        history=(EpochRecord(1, 0.5, 0.9),), annotation_revision=7, card={"n tumor": 3},
    )  # fmt: skip


CONTENT = model_bytes(some_model())


@pytest.fixture
def content() -> bytes:
    return CONTENT


def with_about(content: bytes, **changes: object) -> bytes:
    """The same file with other words in its description."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    about = json.loads(header["__metadata__"][METADATA_KEY])
    header["__metadata__"][METADATA_KEY] = json.dumps({**about, **changes})
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def sealed(content: bytes) -> bytes:
    """With the digest of what it says."""
    length = struct.unpack("<Q", content[:8])[0]
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][METADATA_KEY])
    del about[DIGEST]
    said = json.dumps(about, sort_keys=True).encode()
    return with_about(content, digest=hashlib.sha256(said).hexdigest()[:16])


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_comes_back_whole(tmp_path: Path, network: str) -> None:
    model, path = some_model(network), tmp_path / "model.safetensors"
    write_model(path, model)
    back = read_model(path)
    assert model_bytes(back) == path.read_bytes() == model_bytes(model)
    assert back.model_id == model.model_id
    assert (back.annotation_revision, back.temperature, back.card["n tumor"]) == (7, 1.25, 3)
    values = np.random.default_rng(1).random((4, 40))
    assert np.array_equal(predict_matrix(back, values), predict_matrix(model, values))
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_is_done_to_spectra_comes_back_and_is_part_of_the_model(tmp_path: Path) -> None:
    model, path = some_model("linear"), tmp_path / "model.safetensors"
    prepared = replace(model, preparation=Preparation(5, 4))
    write_model(path, prepared)
    assert read_model(path).preparation == Preparation(5, 4)
    assert prepared.model_id != model.model_id
    values = np.random.default_rng(1).random((4, 40))
    assert not np.array_equal(predict_matrix(prepared, values), predict_matrix(model, values))


def test_a_file_of_the_first_version_is_the_same_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(sealed(with_about(content, version=1)))
    assert read_model(path).model_id == some_model().model_id
    assert read_model(path).preparation == AS_IT_IS


def test_metadata_is_one_sorted_text_without_surroundings(content: bytes, tmp_path: Path) -> None:
    length = struct.unpack("<Q", content[:8])[0]
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    assert list(metadata) == [METADATA_KEY]
    text = metadata[METADATA_KEY]
    assert text == json.dumps(json.loads(text), sort_keys=True)
    assert str(tmp_path) not in text


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ImsTumorError, match="cannot be written"):
        write_model(tmp_path / "missing" / "model.safetensors", some_model("linear"))


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (trap,))  # type: ignore[return-value]

    path = tmp_path / "model.safetensors"
    for protocol in range(6):
        path.write_bytes(pickle.dumps(Trap(), protocol))
        with pytest.raises(ModelFileError):
            read_model(path)
    assert not trap.exists()


def test_a_header_whose_length_looks_like_a_pickle_is_none(tmp_path: Path) -> None:
    """Lengths of 640, 896, 1152 and 1408 bytes begin like pickles of protocol 2 to 5."""
    path, model, met = tmp_path / "model.safetensors", some_model("linear"), set[bytes]()
    for n in range(0, 800, 8):
        content = model_bytes(replace(model, history=(), card={"note": "x" * n}))
        met.add(content[:2])
        path.write_bytes(content)
        assert read_model(path).card["note"] == "x" * n
    assert met & {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 3}, "newer version"),
        ({"version": "1"}, "damaged"),
        ({"class_names": ["a", "b", "c"]}, "cannot build"),
        ({"class_names": None}, "cannot build"),
        ({"network": {}}, "cannot build"),
        ({"network": {"network": "evil", "bins": 40, "classes": 2, "dilations": []}}, "cannot"),
        ({"temperature": -1}, "changed or damaged"),
        ({"temperature": 2.0}, "changed or damaged"),
        ({"blend": "x"}, "changed or damaged"),
        ({"blend": 10**400}, "changed or damaged"),
        ({"temperature": 10**400}, "changed or damaged"),
        ({"annotation_revision": float("inf")}, "changed or damaged"),
        ({"preparation": {"width": 5, "reach": 4}}, "changed or damaged"),
        ({"preparation": {"width": 4, "reach": 0}}, "changed or damaged"),
        ({"preparation": "none"}, "changed or damaged"),
        ({"history": [{"os": "system"}]}, "changed or damaged"),
        ({"card": {"held-out balanced accuracy": 0.999}}, "changed or damaged"),
    ],
)
def test_a_changed_description_is_refused(
    content: bytes, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_about(content, **changes))
    with pytest.raises(ModelFileError, match=words):
        read_model(path)


def test_weights_of_another_shape_are_refused_before_loading(
    content: bytes, tmp_path: Path
) -> None:
    shape = NetworkConfig.for_axis("default", 41, 2)
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_about(content, network=asdict(shape)))
    with pytest.raises(ModelFileError, match="wrong shape"):
        read_model(path)


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_of_each_network_must_fit_its_axis(tmp_path: Path, network: Network) -> None:
    path = tmp_path / "model.safetensors"
    shape = asdict(NetworkConfig.for_axis(network, 41, 2))
    path.write_bytes(with_about(model_bytes(some_model(network)), network=shape))
    with pytest.raises(ModelFileError, match="wrong shape"):
        read_model(path)


@pytest.mark.parametrize("network", PLAIN)
@pytest.mark.parametrize(
    "change", [{"channels": 16}, {"kernel": 5}, {"dilations": [1, 3]}, {"stem_stride": 2}]
)
def test_networks_of_one_shape_have_no_other(
    tmp_path: Path, network: Network, change: dict[str, object]
) -> None:
    path = tmp_path / "model.safetensors"
    shape = {**asdict(NetworkConfig.for_axis(network, 40, 2)), **change}
    path.write_bytes(with_about(model_bytes(some_model(network)), network=shape))
    with pytest.raises(ModelFileError, match="cannot build"):
        read_model(path)


@pytest.mark.parametrize("network", PLAIN)
def test_a_network_that_answers_alone_has_the_whole_share(tmp_path: Path, network: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(replace(some_model(network), blend=0.5)))
    with pytest.raises(ModelFileError, match="changed or damaged"):
        read_model(path)


def test_a_variance_below_zero_is_refused(tmp_path: Path) -> None:
    model = some_model("isotopenet")
    name = "cnn.blocks.1.norm2.running_var"
    broken = replace(model, weights={**model.weights, name: -model.weights[name]})
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(broken))
    with pytest.raises(ModelFileError, match="not numbers"):
        read_model(path)


def test_a_huge_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}" * 50)
    with pytest.raises(ModelFileError, match="cut off"):
        read_model(path)
    nested = b"[" * 100_000
    path.write_bytes(struct.pack("<Q", len(nested)) + nested)
    with pytest.raises(ModelFileError):
        read_model(path)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    model = some_model("linear")
    broken = replace(model, weights={**model.weights, "linear.bias": np.array([np.nan, 0])})
    path = tmp_path / "model.safetensors"
    path.write_bytes(model_bytes(broken))
    with pytest.raises(ModelFileError, match="not numbers"):
        read_model(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_model(tmp_path / "none.safetensors")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_never_passes_in_silence(tmp_path: Path, data: st.DataObject) -> None:
    """Cut the file, or change a byte of it anywhere: refused, or the very same model."""
    content = CONTENT
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        damaged = content[:place]
    else:
        byte = content[place] ^ data.draw(st.integers(1, 255))
        damaged = content[:place] + bytes([byte]) + content[place + 1 :]
    path = tmp_path / "model.safetensors"
    path.write_bytes(damaged)
    try:
        model = read_model(path)
    except ModelFileError:
        return
    assert model.model_id == some_model().model_id


def test_cnn_weights_carry_their_prefix() -> None:
    assert any(name.startswith(CNN_PREFIX) for name in some_model().weights)
    assert not any(name.startswith(CNN_PREFIX) for name in some_model("linear").weights)
