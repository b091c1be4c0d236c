"""Networks of Hugging Face against transformers itself: its own calls on the same pixels and weights."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import BackendUnavailable, ClipError, UsageError, WeightsError
from actionbench.models.families.hugging_face.architectures import ARCHITECTURES
from actionbench.models.families.hugging_face.processor import read_preprocessing
from actionbench.models.parity import with_mantissa
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import FloatArray, LoadOptions, Network, Views, Weights
from actionbench.models.weights import resolve_weights
from actionbench.preprocessing.preparer import Preparer

from .hugging_face_folders import FRAMES, LABELS, SIDE, write_folder

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each architecture as transformers saves one, with weights that are drawn widely."""
    folders = {}
    for kind in ARCHITECTURES:
        folder = write_folder(tmp_path_factory.mktemp("hf") / kind, kind, weights=False)
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.random.fork_rng():
            torch.manual_seed(7)
            net = transformers.AutoModelForVideoClassification.from_config(config)
            for parameter in net.parameters():
                torch.nn.init.normal_(parameter, std=0.2)
        net.save_pretrained(folder)
        folders[kind] = folder
    return folders


def loaded(
    folder: Path, selection: str = "torch", options: LoadOptions | None = None, **weights: Any
) -> Network:
    request = find_model(f"hf:{folder}@{selection}")
    given = resolve_weights("rgb", request.model.streams["rgb"], folder)
    return load_network(request, {"rgb": replace(given, **weights)}, options or LoadOptions())


def logits(network: Network, pixels: FloatArray) -> FloatArray:
    return network.download(network.forward(network.upload({"rgb": pixels})))


def views(frames: int = FRAMES, seed: int = 0) -> FloatArray:
    """(2, T, H, W, C) float32."""
    return np.random.default_rng(seed).normal(size=(2, frames, SIDE, SIDE, 3)).astype(np.float32)


@pytest.mark.parametrize("selection", ["torch", "torch:fp32:plain"])
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_logits_are_those_of_the_librarys_own_call(
    kind: str, selection: str, trained: dict[str, Path]
) -> None:
    own = transformers.AutoModelForVideoClassification.from_pretrained(trained[kind]).eval()
    pixels = views()
    with torch.inference_mode():
        frames = torch.from_numpy(pixels).permute(0, 1, 4, 2, 3)  # (N, T, C, H, W)
        expected = own(**{ARCHITECTURES[kind].pixels: frames}).logits.numpy()
    assert np.ptp(expected) > 0.1
    found = logits(loaded(trained[kind], selection), pixels)
    assert found.shape == (2, len(LABELS))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["videomae", "vivit"])
def test_pixels_may_come_as_they_are(kind: str, trained: dict[str, Path]) -> None:
    network = loaded(trained[kind])
    (description,) = find_model(f"hf:{trained[kind]}").model.streams.values()
    how = description.preprocessing
    pixels = np.random.default_rng(0).integers(0, 256, (1, FRAMES, SIDE, SIDE, 3), np.uint8)
    prepared = ((pixels * how.scale - np.array(how.mean)) / np.array(how.std)).astype(np.float32)
    expected = logits(network, prepared)
    np.testing.assert_allclose(
        network.download(network.forward(network.upload({"rgb": pixels}))), expected, atol=1e-4
    )


def test_random_weights_are_those_of_a_seed(trained: dict[str, Path]) -> None:
    folder = trained["videomae"]
    kinds: dict[str, Any] = {"kind": "random", "path": None}
    first, again, other = (logits(loaded(folder, **kinds, seed=seed), views()) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    state = torch.random.get_rng_state()
    loaded(folder, **kinds)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_random_weights_need_no_file_of_them(tmp_path: Path) -> None:
    request = find_model(f"hf:{write_folder(tmp_path / 'net', weights=False)}")
    weights = Weights("random", request.model.streams["rgb"])
    assert logits(load_network(request, {"rgb": weights}, LoadOptions()), views()).shape == (2, 3)


@pytest.mark.parametrize("kind", ["videomae", "timesformer"])
def test_half_precisions_compute_in_them(kind: str, trained: dict[str, Path]) -> None:
    """On any processor: what a machine may run is decided elsewhere."""
    from actionbench.models.families.hugging_face.torch_network import load

    request = find_model(f"hf:{trained[kind]}")
    given = resolve_weights("rgb", request.model.streams["rgb"], trained[kind])
    network = load(request.model, {"rgb": given}, LoadOptions(precision="bf16"))
    assert network.describe()["precision"] == "bfloat16"
    exact = logits(loaded(trained[kind]), views())
    assert 0 < np.abs(logits(network, views()) - exact).max() < 0.1 * np.ptp(exact) + 0.1


def test_tensors_are_rounded_where_asked(trained: dict[str, Path], tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "videomae", weights=False)
    tensors = load_file(trained["videomae"] / "model.safetensors")
    save_file({name: with_mantissa(each, 7) for name, each in tensors.items()}, folder / "model.safetensors")
    rounded = logits(loaded(trained["videomae"], mantissa=7), views())
    np.testing.assert_allclose(rounded, logits(loaded(folder), views()), atol=2e-3)
    assert np.abs(rounded - logits(loaded(trained["videomae"]), views())).max() > 1e-4


def changed(trained: Path, folder: Path, change: Any) -> Path:
    """A folder with tensors that `change` has changed."""
    write_folder(folder, weights=False)
    tensors = load_file(trained / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_missing_and_misshapen_tensors_are_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    lacking = changed(trained["videomae"], tmp_path / "a", lambda tensors: tensors.pop("classifier.weight"))
    with pytest.raises(WeightsError, match=r"lacks tensors.*classifier\.weight"):
        loaded(lacking)

    def wider(tensors: dict[str, Any]) -> None:
        tensors["classifier.weight"] = np.zeros((5, 32), np.float32)

    with pytest.raises(WeightsError, match=str(tmp_path / "b")):
        loaded(changed(trained["videomae"], tmp_path / "b", wider))


def test_numbers_that_are_not_finite_are_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    def broken(tensors: dict[str, Any]) -> None:
        tensors["classifier.bias"][0] = np.nan

    with pytest.raises(WeightsError, match=r"not finite.*classifier\.bias"):
        loaded(changed(trained["videomae"], tmp_path / "net", broken))


def test_tensors_that_are_not_used_are_said(trained: dict[str, Path], tmp_path: Path) -> None:
    def more(tensors: dict[str, Any]) -> None:
        tensors["decoder.own"] = np.zeros(3, np.float32)

    with pytest.warns(UserWarning, match=r"not used are tensors.*decoder\.own"):
        loaded(changed(trained["videomae"], tmp_path / "net", more))


def test_other_weights_are_another_model(trained: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="Name the other folder as a model"):
        loaded(trained["videomae"], path=trained["vivit"])


def test_frames_that_a_network_does_not_take(trained: dict[str, Path]) -> None:
    with pytest.raises((UsageError, ClipError), match=r"4 frames|4×32×32"):
        logits(loaded(trained["videomae"]), views(6))
    assert logits(loaded(trained["vjepa2"]), views(6)).shape == (2, 3)


def test_what_transformers_refuses_is_one_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "net", config={"hidden_size": 33})
    with pytest.raises(WeightsError, match=f"{folder}: cannot be loaded by transformers"):
        loaded(folder)


def test_without_the_library_the_error_names_its_package(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'actionbench\[transformers\]'"):
        loaded(trained["videomae"])


def test_a_folder_may_say_what_its_library_wrote(trained: dict[str, Path], tmp_path: Path) -> None:
    """Versions of transformers have left these keys in published files; attention is computed as we ask."""
    written = {
        "_attn_implementation_autoset": True,
        "attn_implementation": "eager",
        "torch_dtype": "bfloat16",
    }
    folder = write_folder(tmp_path / "net", config=written, weights=False)
    (folder / "model.safetensors").write_bytes((trained["videomae"] / "model.safetensors").read_bytes())
    network = loaded(folder)
    assert network.describe()["precision"] == "float32"
    np.testing.assert_array_equal(logits(network, views()), logits(loaded(trained["videomae"]), views()))
    assert logits(loaded(folder, kind="random", path=None), views()).shape == (2, 3)


def test_multiply_accumulates_are_counted_as_by_hand(tmp_path: Path) -> None:
    """VideoMAE with one layer: 8 patches of 2×16×16, 32 features, 32 hidden ones, 3 classes."""
    request = find_model(f"hf:{write_folder(tmp_path / 'net', weights=False)}")
    patches, width = 8, 32
    embedding = patches * width * 3 * 2 * 16 * 16
    attention = 4 * patches * width * width + 2 * patches * patches * width
    expected = embedding + attention + 2 * patches * width * 32 + width * 3
    assert request.model.macs is not None
    assert request.model.macs({"rgb": (FRAMES, SIDE, SIDE)}, 3) == expected


def processor_of(folder: Path) -> Any:
    """The library's own processor that needs no torchvision, with the values of the folder's file."""
    from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil
    from transformers.models.vivit.image_processing_vivit import VivitImageProcessor

    values = json.loads((folder / "preprocessor_config.json").read_text())
    kind = VivitImageProcessor if "Vivit" in str(values) else VideoMAEImageProcessorPil
    return kind(**{key: value for key, value in values.items() if not key.endswith("_type")})


@pytest.mark.parametrize(
    ("kind", "processor", "video"),
    [
        ("videomae", {"size": {"shortest_edge": 224}}, "falling/urfd_fall-01-cam0.mp4"),
        ("videomae", {"size": {"shortest_edge": 224}, "resample": 3}, "running/arid_Run_1_12.mp4"),
        ("timesformer", {"size": {"shortest_edge": 225}}, "running/arid_Run_1_12.mp4"),
        ("vivit", {"size": {"shortest_edge": 256}}, "running/arid_Run_1_12.mp4"),
        (
            "vivit",
            {"size": {"shortest_edge": 224}, "offset": False, "rescale_factor": 1 / 255},
            "falling/urfd_fall-01-cam0.mp4",
        ),
    ],
)
def test_pixels_are_those_of_the_librarys_own_processor(
    kind: str, processor: dict[str, Any], video: str, shared_data: Path, tmp_path: Path
) -> None:
    folder = write_folder(
        tmp_path / "net",
        kind,
        config={"image_size": 224},
        processor={**processor, "crop_size": {"height": 224, "width": 224}},
    )
    path = shared_data / "videos" / video
    clip = Clip(path.name, path, end_s=0.2)
    frames = list(read_frames(clip))
    assert len(frames) >= FRAMES
    how = read_preprocessing(folder, 224)
    whole = Views(window=None, stride=None, tail="loop", average="softmax", min_frames=1)
    (view,) = Preparer({"rgb": how}, whole)(clip).views
    expected = processor_of(folder)(frames, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(view["rgb"], expected.transpose(0, 2, 3, 1), rtol=0, atol=1e-6)
