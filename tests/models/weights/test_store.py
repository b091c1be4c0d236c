"""Which weights a run gets for what the user names, and what a file beside them may say."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from actionbench.errors import UsageError, WeightsError
from actionbench.models.spec import PublishedFigures, Views, Weights
from actionbench.models.state import State
from actionbench.models.weights import fetch, resolve_weights, stored_weights, write_state
from actionbench.models.weights.catalogue import CATALOGUE
from actionbench.models.weights.descriptions import DESCRIPTIONS, description

RGB = description("deepmind-rgb-imagenet")
FLOW = description("deepmind-flow-imagenet")
HARA = description("hara-resnext-101-16f")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def file(i3d_state: State, tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "trained.pt"
    write_state(i3d_state, path, "piergiaj", "rgb")
    return path


def say(file: Path, text: str) -> Weights:
    file.with_name(f"{file.name}.yaml").write_text(text, encoding="utf-8")
    return resolve_weights("rgb", RGB, file)


def test_authors_values() -> None:
    assert len(DESCRIPTIONS) == 27
    for name, each in DESCRIPTIONS.items():
        assert (each.name, each.preprocessing.modality) == (name, each.stream)
        prepared = each.preprocessing
        if each.format == "torchvision":
            continue  # compared with the library in tests/models/families
        if each.format != "hara":
            assert (prepared.rate, prepared.short_side, prepared.crop) == (Fraction(25), 256, 224)
        else:
            assert (prepared.rate, prepared.short_side, prepared.crop) == (None, 112, 112)
    white = [(255 * RGB.preprocessing.scale - mean) for mean in RGB.preprocessing.mean]
    assert white == pytest.approx([1, 1, 1])
    assert FLOW.preprocessing.flow_bound == 20
    assert HARA.preprocessing.mean == (114.7748, 107.7354, 99.4750)
    with pytest.raises(UsageError, match="deepmind-rgb-imagenet"):
        description("deepmind-rgb-imagnet")


def test_what_is_reported_of_published_weights_is_numbers_or_else_words() -> None:
    assert RGB.figures == PublishedFigures(71.1, 89.3, "Kinetics-400 test set", RGB.source)
    assert RGB.reported_accuracy == "71.1 top-1, 89.3 top-5 on the Kinetics-400 test set"
    only_top1 = replace(RGB, figures=PublishedFigures(63.2, None, "Kinetics-400 validation set", "a paper"))
    assert only_top1.reported_accuracy == "63.2 top-1 on the Kinetics-400 validation set"
    in_words = description("hara-resnext-101-64f")
    assert in_words.figures is None
    assert in_words.reported_accuracy == "78.4 mean of top-1 and top-5 on the Kinetics-400 test set"
    assert description("hassony2-rgb").reported_accuracy == ""
    assert not any(each.accuracy and each.figures for each in DESCRIPTIONS.values())


def test_every_description_can_be_had() -> None:
    assert set(CATALOGUE) == {*DESCRIPTIONS, "deepmind-samples"}
    for source in CATALOGUE.values():
        assert [bool(source.base), bool(source.project), bool(source.manual)].count(True) == 1
        assert source.licence
        assert source.origin.startswith("https://")
        assert all(url.startswith("https://") for url in (source.base, source.tree) if url)


def test_a_file_of_the_user(file: Path) -> None:
    found = resolve_weights("rgb", RGB, file)
    assert (found.kind, found.path, found.description.format) == ("user", file, "piergiaj")
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.description.preprocessing == RGB.preprocessing
    # Nothing that the authors claim of their file is claimed of this one.
    assert (found.description.name, found.description.reported_accuracy) == ("trained.pt", "")
    assert found.description.figures is None
    assert found.description.licence == "not stated"


@pytest.mark.parametrize("given", ["model.ckpt", "model.ckpt.index", "model.ckpt.data-00000-of-00001", ""])
def test_a_checkpoint_by_any_of_its_paths(given: str, i3d_state: State, tmp_path: Path) -> None:
    prefix = tmp_path / "rgb" / "model.ckpt"
    write_state(i3d_state, prefix, "tf1-checkpoint", "rgb")
    found = resolve_weights("rgb", RGB, tmp_path / "rgb" / given)
    assert (found.path, found.description.format) == (prefix, "tf1-checkpoint")
    files = sorted((tmp_path / "rgb").iterdir())
    assert found.sha256 == hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@pytest.mark.parametrize(
    ("layout", "format"),
    [
        ("data/checkpoints/{}_imagenet/model.ckpt", "tf1-checkpoint"),
        ("{}_imagenet/model.ckpt", "tf1-checkpoint"),
        ("{}_scratch/model.ckpt", "tf1-checkpoint"),
        ("deepmind-{}-imagenet/model.ckpt", "tf1-checkpoint"),
        ("models/{}_imagenet.pt", "piergiaj"),
        ("{}_imagenet.pt", "piergiaj"),
        ("model_{}.pth", "hassony2"),
    ],
)
def test_folders_as_the_authors_lay_them_out(
    layout: str, format: str, i3d_state: State, tmp_path: Path
) -> None:
    for stream, assumed in (("rgb", RGB), ("flow", FLOW)):
        write_state(i3d_state, tmp_path / "clone" / layout.format(stream), format, stream)
        found = resolve_weights(stream, assumed, tmp_path / "clone")
        assert found.path == tmp_path / "clone" / layout.format(stream)
        assert found.description.format == format


def test_a_folder_that_leaves_a_choice_or_none(
    i3d_state: State, resnext_state: State, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"no weights for the rgb stream.*rgb_imagenet/model\.ckpt\.index"):
        resolve_weights("rgb", RGB, tmp_path)
    write_state(i3d_state, tmp_path / "rgb_imagenet.pt", "piergiaj", "rgb")
    write_state(i3d_state, tmp_path / "model_rgb.pth", "hassony2", "rgb")
    with pytest.raises(WeightsError, match=r"several weights.*found rgb_imagenet\.pt, model_rgb\.pth"):
        resolve_weights("rgb", RGB, tmp_path)
    # What the network assumes is taken before anything else that would do.
    write_state(i3d_state, tmp_path / "rgb_imagenet" / "model.ckpt", "tf1-checkpoint", "rgb")
    assert resolve_weights("rgb", RGB, tmp_path).description.format == "tf1-checkpoint"
    write_state(resnext_state, tmp_path / "resnext-101-kinetics.pth", "hara", "rgb")
    assert resolve_weights("rgb", HARA, tmp_path).path == tmp_path / "resnext-101-kinetics.pth"


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pt", tmp_path / "absent" / "model.ckpt"):
        with pytest.raises(WeightsError, match=f"{path.name}: there are no such weights"):
            resolve_weights("rgb", RGB, path)
    with pytest.raises(WeightsError, match="bench weights fetch hassony2-rgb"):
        resolve_weights("rgb", RGB, Path("hassony2-rgb"))


def test_stored_weights_keep_their_description(resnext_state: State, tmp_path: Path) -> None:
    write_state(resnext_state, tmp_path / "resnext-101-kinetics.pth", "hara", "rgb")
    path = fetch(HARA.name, mirror=str(tmp_path))
    assert stored_weights(HARA) == path
    assert resolve_weights("rgb", HARA, path) == Weights(
        "published", HARA, path, hashlib.sha256(path.read_bytes()).hexdigest()
    )
    # The variant with the other mean is the same file under another name.
    variant = description("hara-resnext-101-16f-kinetics-mean")
    assert resolve_weights("rgb", variant, path).description == variant
    assert resolve_weights("rgb", HARA, Path(variant.name)).description == variant
    # A copy elsewhere is the user's.
    shutil.copy(path, tmp_path / "copy.pth")
    assert resolve_weights("rgb", HARA, tmp_path / "copy.pth").kind == "user"
    assert stored_weights(RGB) is None
    with pytest.raises(WeightsError, match="another stream"):
        resolve_weights("flow", FLOW, path)


def test_the_file_beside_overrides_what_it_names(file: Path) -> None:
    found = say(
        file,
        "like: hara-resnext-101-16f\nname: walkers\nmean: [110.6, 103.2, 96.3]\nstd: [38.8, 37.9, 40.0]\n"
        "rate: 30000/1001\nlabels: [fall, run, walk]\nlicence: CC BY 4.0\n",
    ).description
    assert (found.name, found.licence, found.labels) == ("walkers", "CC BY 4.0", ("fall", "run", "walk"))
    assert found.format == "piergiaj"
    assert found.preprocessing.mean == (110.6, 103.2, 96.3)
    assert found.preprocessing.std == (38.8, 37.9, 40.0)
    assert found.preprocessing.rate == Fraction(30000, 1001)
    assert (found.preprocessing.short_side, found.preprocessing.resize) == (112, "pillow-bilinear")
    assert found.reported_accuracy == ""
    assert found.figures is None
    stated = say(file, "accuracy: 61 % of our own films").description
    assert stated.reported_accuracy == "61 % of our own films"
    assert say(file, "rate: 30000/1001").description.preprocessing.rate == Fraction(30000, 1001)
    assert say(file, 'rate: "12.5"').description.preprocessing.rate == Fraction(25, 2)
    assert say(file, "scale: 1e-3").description.preprocessing.scale == 1e-3
    assert say(file, "rate: 29.97").description.preprocessing.rate == Fraction(2997, 100)
    assert say(file, "rate: null").description.preprocessing.rate is None


def test_the_file_beside_says_how_frames_are_resized_and_cut_into_views(file: Path) -> None:
    found = say(
        file,
        "stretch: [240, 320]\nresize: torch-bilinear\nevery: 4\ncolour: bgr\nwindow: 16\nclips: 10\n"
        "crops: 3\naverage: softmax\nsingle: 32\n",
    ).description
    how = found.preprocessing
    assert (how.stretch, how.short_side, how.resize) == ((240, 320), None, "torch-bilinear")
    assert (how.every, how.colour, how.frame_rate) == (4, "bgr", Fraction(25, 4))
    assert found.views == Views(16, None, "loop", "softmax", 9, single=32, clips=10, crops=3)
    by_stride = say(file, "window: 16\nstride: 8\ntail: drop").description.views
    assert by_stride == Views(16, 8, "drop", "logits", 9, single=64)


def test_views_and_published_figures_like_those_of_other_weights(file: Path) -> None:
    found = say(file, "like: hara-resnext-101-16f\nwindow: 32\nstride: 32").description
    # The fewest frames are the network's.
    assert found.views == replace(HARA.views, window=32, stride=32, min_frames=RGB.views.min_frames)
    published = replace(RGB, accuracy="71.1", figures=PublishedFigures(71.1, 89.3, "its test set", "here"))
    file.with_name(f"{file.name}.yaml").write_text("every: 2")
    description = resolve_weights("rgb", published, file).description
    assert (description.accuracy, description.figures) == ("", None)


def test_labels_beside_the_weights(file: Path) -> None:
    (file.parent / "classes.txt").write_text("fall\nrun\n", encoding="utf-8")
    assert say(file, "labels: classes.txt").description.labels == str(file.parent / "classes.txt")
    assert say(file, "labels: kinetics-600").description.labels == "kinetics-600"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("maen: [1, 2, 3]", "unknown field 'maen'.*Did you mean: .*mean"),
        ("modality: flow", "unknown field 'modality'"),
        ("stream: flow", "unknown field 'stream'"),
        ("mean: [1, 2]", "'mean' has an invalid value.*three numbers"),
        ("mean: [1, 2, .nan]", "'mean' has an invalid value"),
        ("std: [1, 2, 0]", "'std' has an invalid value"),
        ("scale: -1", "'scale' has an invalid value"),
        ("scale: true", "'scale' has an invalid value"),
        ("rate: 0", "'rate' has an invalid value"),
        ("rate: 1/0", "'rate' has an invalid value"),
        ("rate: fast", "'rate' has an invalid value"),
        ('rate: "1e300000000"', "'rate' has an invalid value; expected frames a second"),
        ('rate: "1e-300000000"', "'rate' has an invalid value"),
        (f'rate: "{"9" * 5000}"', "'rate' has an invalid value"),
        ('rate: "25/1e9"', "'rate' has an invalid value"),
        ('scale: "1e300000000"', "'scale' has an invalid value; expected a positive number"),
        ("scale: 1/0", "'scale' has an invalid value"),
        ("crop: 224.5", "'crop' has an invalid value"),
        ("crop: 0", "'crop' has an invalid value"),
        ("resize: area", "'resize' has an invalid value.*opencv-bilinear"),
        ("format: onnx", "'format' has an invalid value"),
        ("labels: missing.txt", "no such file of labels"),
        ("labels: ../outside.txt", "file of labels outside its folder, which is not opened"),
        ("labels: /etc/passwd", "file of labels outside its folder, which is not opened"),
        ("labels: link.txt", "file of labels outside its folder, which is not opened"),
        ('labels: "a\\0b"', "file of labels outside its folder, which is not opened"),
        ("labels: 3", "'labels' has an invalid value"),
        ("like: deepmind-rgb-imagnet", "unknown set of weights.*deepmind-rgb-imagenet"),
        ("like: deepmind-flow-imagenet", "another stream"),
        ("flow_bound: 20", "'flow_bound' does not apply to rgb"),
        ("stretch: 128", r"'stretch' has an invalid value; expected \[height, width\] in pixels"),
        ("stretch: [128, 171, 3]", "'stretch' has an invalid value"),
        ("stretch: [128, 171]", "the crop is larger than the resized frames; expected `crop` of 128"),
        ("stretch: [256, 256]\nshort_side: 256", "frames have one size.*found both"),
        ("short_side: null", "'short_side' has an invalid value"),
        ("every: 0", "'every' has an invalid value"),
        ("colour: grb", "'colour' has an invalid value; expected rgb or bgr"),
        ("crops: 2", "'crops' has an invalid value; expected 1 or 3"),
        ("crops: true", "'crops' has an invalid value"),
        ("window: 16\nclips: 999999999", "`clips` of a video: are too many; expected 1000 at most"),
        ("clips: 5", "clips of a video have a length; expected `window`"),
        ("window: 4", "is too short for the network; expected at least 9 frames"),
        ("average: mean", "'average' has an invalid value; expected softmax or logits"),
        ("- a list", "not a mapping"),
        ("a: [", "not YAML"),
        ("[" * 3000, "nested too deeply"),
        ("crop: 224\ncrop: 112", "line 2, column 1: the key 'crop' occurs twice"),
        ("!!python/object/apply:os.mkdir [/tmp/never]", "not YAML"),
    ],
)
def test_a_file_beside_that_makes_no_sense(text: str, complaint: str, file: Path) -> None:
    (file.parent / "link.txt").symlink_to("/etc/passwd")
    with pytest.raises(WeightsError, match=complaint) as caught:
        say(file, text)
    assert "trained.pt.yaml" in str(caught.value)
