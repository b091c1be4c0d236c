"""What a run is planned with from a folder of Hugging Face: no framework is needed, nothing is believed."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from actionbench.errors import UsageError, WeightsError
from actionbench.models.families.hugging_face.architectures import ARCHITECTURES
from actionbench.models.families.hugging_face.config import as_listed, read_config
from actionbench.models.families.hugging_face.processor import PROCESSORS, read_preprocessing
from actionbench.models.families.hugging_face.published import PUBLISHED
from actionbench.models.labels import labels
from actionbench.models.registry import find_model
from actionbench.models.spec import Preprocessing
from actionbench.models.weights import resolve_weights
from actionbench.models.weights.hugging_face.hub import Snapshot, parse_name
from actionbench.models.weights.hugging_face.snapshot import weight_files

from .hugging_face_folders import FRAMES, LABELS, SIDE, write_folder

WHERE = importlib.util.find_spec("transformers")


def test_a_folder_is_a_model(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mine")
    request = find_model(f"hf:{folder}@torch:bf16")
    (description,) = request.model.streams.values()
    assert (request.model.name, request.backend, request.precision) == ("hf:mine", "torch", "bf16")
    assert description.labels == LABELS
    assert description.licence == "not stated"
    assert description.preprocessing == Preprocessing(
        modality="rgb",
        rate=None,
        short_side=SIDE,
        resize="pillow-bilinear",
        long_side="floor",
        crop=SIDE,
        crop_offset="floor",
        scale=1 / 255,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        every=2,
    )
    views = request.model.views
    assert (views.window, views.stride, views.min_frames, views.tail) == (FRAMES, FRAMES, FRAMES, "loop")
    weights = resolve_weights("rgb", description, request.model.own_weights["rgb"])
    assert (weights.kind, weights.path, weights.checked) == ("user", folder, False)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_each_architecture_says_its_frames_and_its_size(kind: str, tmp_path: Path) -> None:
    config = read_config(write_folder(tmp_path / kind, kind))
    assert (config.frames, config.side, config.labels) == (FRAMES, SIDE, LABELS)


def test_nothing_of_a_framework_is_imported_to_plan(tmp_path: Path) -> None:
    code = (
        "import sys; from actionbench.models.registry import find_model\n"
        f"model = find_model('hf:{write_folder(tmp_path / 'net')}').model\n"
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'tokenizers'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_the_stride_is_asked_for_where_nothing_says_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "net", every=None)
    with pytest.raises(WeightsError) as error:
        find_model(f"hf:{folder}")
    assert f"Write into {tmp_path / 'net.yaml'} a line like `every: 4`" in str(error.value)
    (tmp_path / "net.yaml").write_text("rate: 7.5\nlicence: mine\n")
    (description,) = find_model(f"hf:{folder}").model.streams.values()
    assert (float(description.preprocessing.rate or 0), description.preprocessing.every) == (7.5, 1)
    assert description.licence == "mine"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("every: 0", "every"),
        ("every: 2\nlabels: [a, b]", "not as many"),
        ("every: 2\ncrop: 31", "side of the network's pictures"),
        ("every: 2\nframes: 3", "unknown field"),
    ],
)
def test_a_yaml_that_does_not_fit_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    folder = write_folder(tmp_path / "net")
    (tmp_path / "net.yaml").write_text(text)
    with pytest.raises(WeightsError, match=problem):
        find_model(f"hf:{folder}")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"auto_map": {"AutoModel": "own.Model"}}, "auto_map.*never run"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"transformers_weights": "../other.safetensors"}, "transformers_weights"),
        ({"attn_implementation": "someone/kernels"}, "attn_implementation.*never fetched"),
        ({"_attn_implementation": {"": "someone/kernels"}}, "_attn_implementation.*never fetched"),
        ({"kernel_config": {"Attention": "someone/kernels:own"}}, "kernel_config.*never fetched"),
        ({"model_type": "xclip"}, "X-CLIP compares videos with texts"),
        ({"model_type": "bert"}, "not a supported network"),
        ({"model_type": ["videomae"]}, "not a supported network"),
        ({"architectures": ["VideoMAEForPreTraining"]}, "not a network with a trained classifier"),
        ({"architectures": None}, "not a network with a trained classifier"),
        ({"num_channels": 1}, "num_channels"),
        ({"num_frames": 0}, "num_frames"),
        ({"num_frames": True}, "num_frames"),
        ({"num_frames": 10**9}, "num_frames"),
        ({"num_frames": "16"}, "num_frames"),
        ({"num_frames": 1024, "image_size": 512}, "num_frames.*image_size.*too large together"),
        ({"num_hidden_layers": 20_000}, "num_hidden_layers.*1 to 64"),
        ({"num_hidden_layers": 1.5}, "num_hidden_layers"),
        ({"hidden_size": 1 << 20}, "hidden_size"),
        ({"intermediate_size": -1}, "intermediate_size"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"mlp_ratio": 1e9}, "mlp_ratio"),
        ({"mlp_ratio": 0}, "mlp_ratio"),
        ({"pred_num_hidden_layers": 20_000}, "pred_num_hidden_layers"),
        ({"num_pooler_layers": 20_000}, "num_pooler_layers"),
        ({"patch_size": 0}, "patch_size"),
        ({"patch_size": [16, 16, 16]}, "patch_size.*2 whole numbers"),
        ({"tubelet_size": "2"}, "tubelet_size"),
        ({"patch_size": 1, "image_size": 224}, "patches are too small"),
        ({"image_size": [32, 16]}, "image_size"),
        ({"image_size": 48}, "crop_size"),
        ({"id2label": None}, "id2label"),
        ({"id2label": {}}, "id2label"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label"),
        ({"id2label": {"0": "a", "1": 5}}, "id2label"),
        ({"id2label": {"0": "a", "1": " "}}, "id2label"),
        ({"id2label": {"0": "a", "1": "a"}}, "classes twice"),
        ({"id2label": {"0": "a", "1": "b" * 501}}, "id2label"),
    ],
)
def test_what_config_json_may_not_say(tmp_path: Path, config: dict[str, Any], problem: str) -> None:
    folder = write_folder(tmp_path / "net", config=config)
    with pytest.raises(WeightsError, match=problem) as error:
        find_model(f"hf:{folder}")
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"model_type": NaN}'])
def test_any_text_of_config_json_is_one_error(tmp_path: Path, text: str) -> None:
    folder = write_folder(tmp_path / "net")
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"config\.json"):
        find_model(f"hf:{folder}")


def test_large_and_missing_files_are_refused_by_name(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "net")
    with (folder / "config.json").open("r+b") as file:
        file.truncate(17 << 20)
    with pytest.raises(WeightsError, match=r"config\.json: is too large"):
        find_model(f"hf:{folder}")
    (folder / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"holds no config\.json.*save_pretrained"):
        find_model(f"hf:{folder}")
    write_folder(folder)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match="video_preprocessor_config"):
        find_model(f"hf:{folder}")
    write_folder(folder)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(WeightsError, match="adapter"):
        find_model(f"hf:{folder}")


@pytest.mark.parametrize(
    ("processor", "problem"),
    [
        ({"feature_extractor_type": "CLIPImageProcessor"}, "processor that is not known"),
        ({"feature_extractor_type": None}, "processor that is not known"),
        ({"auto_map": {"AutoImageProcessor": "own.P"}}, "auto_map"),
        ({"do_resize": False}, "do_resize"),
        ({"do_center_crop": False}, "do_center_crop"),
        ({"do_normalize": "no"}, "do_normalize"),
        ({"resample": 0}, "resample"),
        ({"resample": "bicubic"}, "resample"),
        ({"size": {"shortest_edge": 31}}, "crop_size"),
        ({"size": {"shortest_edge": 32, "longest_edge": 64}}, "size"),
        ({"size": {"shortest_edge": -1}}, "size"),
        ({"size": [32]}, "size"),
        ({"size": {"shortest_edge": 129}}, "at most 128, 4 times the crop"),
        ({"size": {"height": 32, "width": 129}}, "at most 128, 4 times the crop"),
        ({"crop_size": {"height": 32, "width": 24}}, "crop_size"),
        ({"rescale_factor": 0}, "rescale_factor"),
        ({"image_std": [0.2, 0.2, 0]}, "image_std"),
        ({"image_mean": [0.2, 0.2]}, "image_mean"),
        ({"image_mean": [0.2, 0.2, "0.2"]}, "image_mean"),
        ({"image_mean": [0.2, 0.2, float("nan")]}, "image_mean"),
    ],
)
def test_what_a_processor_may_not_say(tmp_path: Path, processor: dict[str, Any], problem: str) -> None:
    folder = write_folder(tmp_path / "net", processor=processor)
    with pytest.raises(WeightsError, match=problem) as error:
        find_model(f"hf:{folder}")
    assert "preprocessor_config.json" in str(error.value)


def preprocessing(folder: Path, kind: str, **processor: Any) -> Preprocessing:
    return read_preprocessing(write_folder(folder, kind, processor=processor), SIDE)


def test_sizes_filters_and_ranges(tmp_path: Path) -> None:
    net = tmp_path / "net"
    stretched = preprocessing(net, "videomae", size={"height": SIDE, "width": 40})
    assert (stretched.short_side, stretched.stretch, stretched.crop) == (None, (SIDE, 40), SIDE)
    squeezed = preprocessing(net, "videomae", size={"height": SIDE, "width": SIDE}, do_center_crop=False)
    assert (squeezed.stretch, squeezed.crop) == ((SIDE, SIDE), SIDE)
    older = preprocessing(net, "videomae", size=40, crop_size=SIDE, resample=3)
    assert (older.short_side, older.resize) == (40, "pillow-bicubic")
    plain = preprocessing(net, "videomae", do_normalize=False, do_rescale=False)
    assert (plain.scale, plain.mean, plain.std) == (1.0, (0.0,) * 3, (1.0,) * 3)


def test_vivit_subtracts_one_and_normalises_then(tmp_path: Path) -> None:
    how = preprocessing(tmp_path / "net", "vivit")
    assert (how.scale, how.mean, how.std, how.short_side) == (1 / 127.5, (1.5,) * 3, (0.5,) * 3, 37)
    assert preprocessing(tmp_path / "net", "vivit", offset=False).mean == (0.5,) * 3
    # The video processor has no such key.
    video = {"image_processor_type": None, "video_processor_type": "VivitVideoProcessor", "offset": False}
    assert preprocessing(tmp_path / "net", "vivit", **video).mean == (1.5,) * 3


def test_v_jepa_computes_the_size_itself(tmp_path: Path) -> None:
    how = preprocessing(tmp_path / "net", "vjepa2", size={"shortest_edge": 99})
    assert (how.short_side, how.crop, how.mean) == (36, SIDE, (0.485, 0.456, 0.406))


def class_values(kind: str, file: str, name: str) -> dict[str, Any]:
    """The values that a class of the installed transformers states, read without importing it."""
    assert WHERE is not None
    assert WHERE.origin is not None
    source = Path(WHERE.origin).parent / "models" / kind / file
    constants = {
        "IMAGENET_STANDARD_MEAN": [0.5] * 3,
        "IMAGENET_STANDARD_STD": [0.5] * 3,
        "IMAGENET_DEFAULT_MEAN": [0.485, 0.456, 0.406],
        "IMAGENET_DEFAULT_STD": [0.229, 0.224, 0.225],
    }
    (found,) = (
        node
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == name
    )
    values = {}
    for line in found.body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        if isinstance(target, ast.Name) and (value := getattr(line, "value", None)) is not None:
            code = compile(ast.Expression(value), file, "eval")
            try:
                values[target.id] = eval(code, {"int": int, **constants})
            except (NameError, AttributeError):
                continue
    return values


@pytest.mark.skipif(WHERE is None, reason="transformers is not installed")
@pytest.mark.parametrize("kind", PROCESSORS)
def test_defaults_are_those_of_the_installed_processors(kind: str) -> None:
    stated = class_values(kind.lower(), f"video_processing_{kind.lower()}.py", f"{kind}VideoProcessor")
    ours = PROCESSORS[kind]
    crop = stated["crop_size"]
    assert ours.crop == (crop if isinstance(crop, int) else crop["height"])
    assert ours.short_side == stated["size"]["shortest_edge"]
    assert list(ours.mean) == stated["image_mean"]
    assert list(ours.std) == stated["image_std"]
    assert ours.scale == stated.get("rescale_factor", 1 / 255)


@pytest.mark.skipif(WHERE is None, reason="transformers is not installed")
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_defaults_are_those_of_the_installed_networks(kind: str) -> None:
    ours = ARCHITECTURES[kind]
    name = ours.network.removesuffix("ForVideoClassification")
    stated = class_values(kind, f"configuration_{kind}.py", f"{name}Config")
    assert stated["model_type"] == kind
    assert (stated[ours.frames], stated[ours.side], stated[ours.channels]) == (
        ours.default_frames,
        ours.default_side,
        3,
    )
    for key, sizes in ours.patch.items():
        assert stated[key] in (sizes[0], sizes)


def test_classes_of_kinetics_are_known_by_their_letters() -> None:
    ours = labels("kinetics-400")
    assert as_listed(ours) == "kinetics-400"
    assert as_listed(tuple(name.replace(" ", "_").title() for name in ours)) == "kinetics-400"
    swapped = (ours[1].upper(), ours[0], *ours[2:])
    assert as_listed(swapped) == (ours[1], ours[0], *ours[2:])
    assert as_listed(ours[:-1]) == ours[:-1]
    assert as_listed(labels("kinetics-600")) == "kinetics-600"
    assert as_listed(("Fall", "Run")) == ("Fall", "Run")


def test_weights_are_safetensors_beside_the_index_or_nothing(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "net", weights=False)
    with pytest.raises(WeightsError, match="holds no weights"):
        weight_files(folder)
    (folder / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(WeightsError, match=r"only as pickles.*pytorch_model\.bin.*refs/pr"):
        weight_files(folder)
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": parts[0], "b": parts[1]}}))
    (folder / parts[0]).write_bytes(save({"a": np.zeros(2, np.float32)}))
    with pytest.raises(WeightsError, match=parts[1]):
        weight_files(folder)
    (folder / parts[1]).write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(WeightsError, match=parts[1]):
        weight_files(folder)
    (folder / parts[1]).write_bytes(save({"b": np.zeros(2, np.float32)}))
    assert [file.name for file in weight_files(folder)] == parts
    for wrong in ("../other.safetensors", "/etc/passwd", "model.bin", "a/b.safetensors"):
        index.write_text(json.dumps({"weight_map": {"a": wrong}}))
        with pytest.raises(WeightsError, match="not a safetensors file beside it"):
            weight_files(folder)
    for text in ("{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}', '{"weight_map": {}}'):
        index.write_text(text)
        with pytest.raises(WeightsError, match="weight_map"):
            weight_files(folder)


def test_names_that_are_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="bench weights fetch hf:someone/network@v1"):
        find_model("hf:someone/network@v1@torch:bf16")
    with pytest.raises(UsageError, match="no such folder, nor can it be the name"):
        find_model("hf:./nowhere/at/all")
    monkeypatch.chdir(write_folder(tmp_path / "here"))
    for empty in ("hf:", "hf: ", "hf:@torch"):
        with pytest.raises(UsageError, match="names no network"):
            find_model(empty)
    with pytest.raises(UsageError, match="unknown backend"):
        find_model(f"hf:{write_folder(tmp_path / 'net')}@onnx")


def recorded(home: Path, folder: Path, repository: str, **more: str) -> Snapshot:
    """A record as `bench weights fetch` writes it, of a repository whose files are in `folder`."""
    snapshot = {
        "repository": repository,
        "revision": "main",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "endpoint": "https://huggingface.co",
        "licence": "cc-by-nc-4.0",
        "folder": str(folder),
        "fetched": "2026-11-29T10:00:00+00:00",
        "files": {},
    } | more
    path = home / "weights" / "hugging-face" / repository.replace("/", "--") / f"{snapshot['revision']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(snapshot))
    return Snapshot(**snapshot)  # type: ignore[arg-type]


def test_a_fetched_repository_has_its_publishers_sampling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    name = "MCG-NJU/videomae-base-finetuned-kinetics"
    folder = write_folder(tmp_path / "cache", every=None)
    snapshot = recorded(tmp_path / "home", folder, name)
    model = find_model(f"hf:{name}").model
    description = model.streams["rgb"]
    assert model.name == f"hf:{name}"
    assert description.preprocessing.every == 4
    assert (model.views.clips, model.views.crops, model.views.average) == (5, 3, "softmax")
    assert description.figures == PUBLISHED[name].figures
    assert description.licence == "cc-by-nc-4.0"
    assert description.source == f"https://huggingface.co/{name}/tree/{snapshot.commit}"
    assert find_model(f"hf:{name}@{snapshot.commit}@torch").model.streams == model.streams


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"revision": "v2"}, "@v2"),
        ({"endpoint": "https://hf-mirror.com"}, ""),
        ({"endpoint": "not stated", "licence": "not stated"}, ""),
    ],
    ids=["another revision", "a mirror", "a cache of unknown origin"],
)
def test_what_is_published_of_main_is_not_said_of_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], name: str
) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    repository = "MCG-NJU/videomae-base-finetuned-kinetics"
    folder = write_folder(tmp_path / "cache", every=None)
    snapshot = recorded(tmp_path / "home", folder, repository, **more)
    model = find_model(f"hf:{repository}{name}").model
    description = model.streams["rgb"]
    assert (description.preprocessing.every, model.views.clips, model.views.tail) == (4, 5, "hold")
    assert (description.figures, description.reported_accuracy) == (None, "")
    assert description.licence == snapshot.licence
    assert description.source.startswith((snapshot.endpoint, repository))
    weights = resolve_weights("rgb", description, folder)
    assert (weights.kind, weights.checked) == ("user", False)
    recorded(tmp_path / "home", folder, repository)
    assert resolve_weights("rgb", description, folder).kind == "published"


def test_the_digest_is_of_everything_that_says_what_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    folder = write_folder(tmp_path / "net")

    def found() -> str | None:
        (description,) = find_model(f"hf:{folder}").model.streams.values()
        return resolve_weights("rgb", description, folder).sha256

    digests = [found(), found()]
    assert digests[0] == digests.pop()
    write_folder(folder, processor={"image_std": [0.5, 0.5, 0.5]})
    digests.append(found())
    write_folder(folder, processor={"image_std": [0.5, 0.5, 0.5]}, config={"layer_norm_eps": 1e-3})
    digests.append(found())
    (tmp_path / "net.yaml").write_text("every: 3\n")
    digests.append(found())
    (folder / "README.md").write_text("is not read")
    assert len(set(digests)) == 4
    assert found() == digests[-1]
    # Of a fetched network the YAML file is in the store.
    recorded(tmp_path / "home", folder, "someone/network")
    beside = tmp_path / "home" / "weights" / "hugging-face" / "someone--network.yaml"
    (description,) = find_model(f"hf:{folder}").model.streams.values()
    before = resolve_weights("rgb", description, folder).sha256
    beside.write_text("every: 8\n")
    assert resolve_weights("rgb", description, folder).sha256 != before


def test_an_unknown_repository_is_described_in_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    folder = write_folder(tmp_path / "cache", every=None)
    recorded(tmp_path / "home", folder, "someone/network")
    beside = tmp_path / "home" / "weights" / "hugging-face" / "someone--network.yaml"
    with pytest.raises(WeightsError, match=str(beside)):
        find_model("hf:someone/network")
    beside.write_text("every: 8\n")
    assert find_model("hf:someone/network").model.streams["rgb"].preprocessing.every == 8
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(WeightsError, match="no longer in Hugging Face's cache"):
        find_model("hf:someone/network")


def test_the_document_has_what_is_published() -> None:
    text = (Path(__file__).parents[4] / "docs" / "hugging-face.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+/[\w-]+)` \|(.*)$", text, re.MULTILINE))
    assert rows.keys() == PUBLISHED.keys()
    for name, each in PUBLISHED.items():
        _, sampling, views, top1, _, _ = map(str.strip, f"|{rows[name]}".split("|"))
        steps = f"{each.every}" if each.rate is None else f"{float(30 / each.rate):.1f} at 30 fps"
        assert sampling.endswith(f"× {steps}")
        assert views == f"{each.clips} × {each.crops}"
        assert top1.startswith(f"{each.figures.top1} (" if each.figures else "not claimed (")


def test_timesformers_frames_are_those_of_its_authors_code() -> None:
    """`temporal_sampling` of timesformer/datasets/decoder.py on 256 frames at 30 a second."""
    published = PUBLISHED["facebook/timesformer-base-finetuned-k400"]
    assert published.rate is not None
    times = np.arange(8) / float(published.rate)
    np.testing.assert_allclose(times, np.linspace(0, 255, 8) / 30)


def test_what_is_published_is_plausible() -> None:
    for name, each in PUBLISHED.items():
        assert parse_name(name) == (name, "main")
        assert each.every in (1, 2, 4)
        assert each.sampling.startswith("github.com/")
        if each.figures is not None:
            assert 50 < each.figures.top1 < 95
            assert each.figures.top5 is None or each.figures.top1 < each.figures.top5 < 100
            assert each.figures.source.startswith("github.com/")
