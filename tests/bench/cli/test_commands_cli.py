"""The commands beside `bench run`, as a user types them."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from actionbench.bench import model_list
from actionbench.bench.cli import doctor
from actionbench.bench.plan.environment import Installed
from actionbench.datasets.clip import Clip
from actionbench.datasets.sources.manifest import read_manifest
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import BackendUnavailable
from actionbench.flow.fields import GREY
from actionbench.models.capabilities import BACKENDS
from actionbench.models.families import registry as family_registry
from actionbench.models.labels import labels
from actionbench.models.spec import Model, PublishedFigures

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers")

TINY = Path(__file__).parents[1] / "networks" / "tiny.py"
THIRD = TINY.with_name("third.py")
NAMES = labels("kinetics-400")
Bench = Callable[..., subprocess.CompletedProcess[str]]
Videos = Callable[[list[int], int], Path]


def test_models_are_listed_with_their_backends(bench: Bench) -> None:
    answer = bench("models")
    assert answer.returncode == 0
    rows = {line.split()[1]: line for line in answer.stdout.splitlines() if line.startswith("│ ")}
    assert {"i3d", "i3d-rgb", "i3d-flow", "resnext", "resnext-64f"} <= rows.keys()
    assert "tensorflow," in rows["i3d"]
    assert "torch, onnx" in rows["resnext"]
    for words in ("TF32 is an arithmetic of CUDA devices", "compiled", "as the authors' code", "@realtime: "):
        assert words in answer.stdout


@pytest.fixture
def made_up_networks(monkeypatch: pytest.MonkeyPatch, tiny_module: ModuleType) -> None:
    """Two families: one of two networks, of which one cannot be made, and one without a list."""
    figures = PublishedFigures(
        67.5,
        87.5,
        "Kinetics-400 validation set",
        "a page",
        40.5,
        "one view of 16 frames, 112×112",
        31_500_000,
    )
    weights = replace(tiny_module.WEIGHTS, figures=figures, licence="cc-by-nc-4.0")

    def make(name: str) -> Model:
        if name == "broken":
            raise BackendUnavailable("torchvision cannot be imported")
        model: Model = tiny_module.tiny()
        return replace(model, name=f"tv:{name}", streams={"rgb": weights})

    fixed = SimpleNamespace(make=make, NAMES=("net", "broken"))
    open_ended = SimpleNamespace(make=make, PACKAGES={"no_such_package": "`pip install it`"})
    monkeypatch.setitem(sys.modules, "made_up_tv", fixed)
    monkeypatch.setitem(sys.modules, "made_up_onnx", open_ended)
    families = {
        "tv": family_registry.Family(("tv:NAME",), "made_up_tv:make"),
        "onnx": family_registry.Family(("onnx:FILE",), "made_up_onnx:make"),
    }
    monkeypatch.setattr(family_registry, "FAMILIES", families)
    monkeypatch.setattr(model_list, "FAMILIES", families)


@pytest.mark.usefixtures("made_up_networks")
def test_what_is_published_of_each_network_is_listed(bench: Bench) -> None:
    found = json.loads(bench("models", "--format", "json").stdout)
    by_name = {model["name"]: model for model in found["models"]}
    net = by_name["tv:net"]
    assert (net["parameters"], net["gflops"]) == (31_500_000, 81)
    assert net["gflops_of"] == "one view of 16 frames, 112×112"
    (weights,) = net["weights"]
    assert (weights["top1"], weights["top5"], weights["non_commercial"]) == (67.5, 87.5, True)
    assert weights["accuracy"] == "67.5 top-1, 87.5 top-5 on the Kinetics-400 validation set"
    assert weights["views"] == "windows of 4 frames without overlap, last one looped, softmax averaged"
    assert not weights["stored"]
    # Ours count for themselves: 2 × multiply–accumulates of one view as the report has them.
    assert by_name["resnext"]["gflops"] == pytest.approx(19.1, abs=0.05)
    assert by_name["i3d"]["gflops_of"] == "one view of 64 frames, 224×224"
    assert [each["top1"] for each in by_name["i3d"]["weights"] if each["name"].startswith("deepmind")] == [
        71.1,
        63.4,
    ]
    assert found["broken"] == {"tv:broken": "torchvision cannot be imported"}
    assert found["families"] == {
        "tv": {"forms": ["tv:NAME"], "lacks": {}},
        "onnx": {"forms": ["onnx:FILE"], "lacks": {"no_such_package": "`pip install it`"}},
    }
    assert found["sets"]["@realtime"]
    assert {row["backend"] for row in found["backends"]} == set(BACKENDS)


@pytest.mark.usefixtures("made_up_networks")
def test_the_list_of_networks_as_markdown(bench: Bench) -> None:
    text = bench("models", "--format", "markdown").stdout
    (row,) = [line for line in text.splitlines() if line.startswith("| tv:net<br>")]
    for words in (
        "67.5 top-1, 87.5 top-5",
        "31.5",
        "81.0, one view of 16 frames",
        "cc-by-nc-4.0 NON-COMMERCIAL",
    ):
        assert words in row
    assert "- NON-COMMERCIAL: the licence" in text
    assert "- tv:broken cannot be described: torchvision cannot be imported" in text
    assert re.search(r"- Also: onnx:FILE; lacks .*no.*such.*package", text)
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_an_unknown_format_is_an_error_of_usage(bench: Bench) -> None:
    assert bench("models", "--format", "xml").returncode == 2


def test_doctor_tells_what_is_here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the answers of four interpreters, each of which would import a framework, made up."""
    lacking = replace(BACKENDS["tensorflow"], packages=("no_such_package",))
    backends = BACKENDS | {"tensorflow": lacking}
    del backends["tfhub"]
    answers = {
        None: Installed(),
        "torch": Installed(cuda=("a device",)),
        "onnx": Installed(),
        "openvino": Installed(error="ImportError: no libtbb"),
    }
    monkeypatch.setattr(doctor, "probe", lambda _, backend=None: answers[backend])
    monkeypatch.setattr(doctor, "BACKENDS", backends)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    answer = bench("doctor")
    assert answer.returncode == 0, answer.stderr
    for word in ("cpu", "cores", "memory", "opencv-contrib-python", "torch"):
        assert word in answer.stdout
    told = answer.stdout.partition("\nbackends\n")[2]
    lines = {line.split()[0]: line for line in told.splitlines() if line}
    assert lines["torch"].endswith("ready on CPU, cuda:0 a device")
    assert "lacks no_such_package; install: pip install" in lines["tensorflow"]
    assert lines["onnx"].endswith("ready on CPU")
    assert lines["openvino"].endswith("cannot be imported: ImportError: no libtbb")
    assert "flow" in lines
    assert "lacks torchvision; install: `pip install 'actionbench[torchvision]'`" in lines["tv:NAME"]
    assert lines["onnx:FILE"].endswith(" packages installed")


@pytest.mark.slow
def test_doctor_imports_every_framework(bench: Bench) -> None:
    answer = bench("doctor")
    assert answer.returncode == 0, answer.stderr
    backends = answer.stdout.partition("\nbackends\n")[2].partition("\nfamilies")[0]
    assert backends.count("ready on CPU") + backends.count(" lacks ") == len(BACKENDS)


@pytest.mark.parametrize(
    ("command", "takes_sets"), [("run", True), ("evaluate", True), ("predict", False), ("live", False)]
)
def test_help_says_how_networks_of_families_are_named(bench: Bench, command: str, takes_sets: bool) -> None:
    text = bench(command, "--help").stdout
    for form in ("tv:NAME", "hf:OWNER/NAME", "hf:FOLDER", "onnx:FILE", "FILE.py:FACTORY"):
        assert form in text
    assert ("@realtime" in text) == takes_sets


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["data", "--help"], ["--version"]])
def test_help_costs_nothing(bench: Bench, arguments: list[str]) -> None:
    answer = bench(*arguments)
    assert answer.returncode == 0
    assert answer.stdout


def test_no_or_unknown_commands_are_errors_of_usage(bench: Bench) -> None:
    assert bench("rnu").returncode == 2
    assert bench("weights", "fetch").returncode == 2
    assert bench("data", "check").returncode == 2


def test_check_tables_what_is_odd(bench: Bench, coloured_videos: Videos, tmp_path: Path) -> None:
    folder = coloured_videos([0, 1, 2], 2)
    first, second, third, *_ = sorted(folder.rglob("*.mp4"))
    first.write_bytes(first.read_bytes()[:200])
    third.write_bytes(second.read_bytes())
    odd = folder / "no such class"
    odd.mkdir()
    (odd / "a|b.txt").write_text("not a video")
    table = tmp_path / "table.csv"
    answer = bench("data", "check", folder, "--min-frames", 1, "--out", table)
    assert answer.returncode == 0, answer.stderr
    assert "1 broken" in answer.stdout
    assert "2 duplicate" in answer.stdout, "the copy, and the second video of one colour"
    assert "ignored: 1 file whose suffix is not of a video or an array" in answer.stdout
    with table.open(encoding="utf-8") as file:
        states = {row["clip"]: row["state"] for row in csv.DictReader(file)}
    assert len(states) == 6
    assert sorted(states.values()) == ["broken", "duplicate", "duplicate", "ok", "ok", "ok"]
    assert bench("data", "check", folder, "--min-frames", 6).returncode == 2, "none can be used"


def test_a_subset_is_the_same_everywhere(bench: Bench, coloured_videos: Videos, tmp_path: Path) -> None:
    folder = coloured_videos([3, 4], 4)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in sorted(folder.rglob("*.mp4"), reverse=True):
        (moved / file.parent.name).mkdir(exist_ok=True)
        (moved / file.parent.name / file.name).write_bytes(file.read_bytes())
    chosen = []
    for data in (folder, moved):
        out = tmp_path / f"{data.name}.csv"
        answer = bench("data", "subset", data, out, "--per-class", 2, "--seed", 3, "--min-frames", 1)
        assert answer.returncode == 0, answer.stderr
        with out.open(encoding="utf-8") as written:
            chosen.append([(row["id"], row["sha256"]) for row in csv.DictReader(written)])
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 4
    answer = bench("data", "subset", folder, tmp_path / "more.csv", "--per-class", 9, "--min-frames", 1)
    assert f"{NAMES[3]}: 4 of 9" in answer.stdout


def test_clips_decoded_ahead_are_the_same_clips(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    folder = coloured_videos([3, 4], 2)
    broken, *whole = sorted(folder.rglob("*.mp4"))
    broken.write_bytes(broken.read_bytes()[:200])
    out = tmp_path / "arrays"
    answer = bench("data", "decode", folder, out)
    assert answer.returncode == 0, answer.stderr
    assert f"left out: {broken}" in answer.stdout
    clips = read_manifest(out / "clips.csv", NAMES).clips
    assert [clip.id for clip in clips] == [file.relative_to(folder).as_posix() for file in whole]
    assert {clip.label for clip in clips} == {NAMES[3], NAMES[4]}
    for clip, file in zip(clips, whole, strict=True):
        with read_frames(clip) as ours, read_frames(Clip("", file)) as theirs:
            assert ours.rate == theirs.rate
            np.testing.assert_array_equal(np.stack(list(ours)), np.stack(list(theirs)))
    assert bench("data", "decode", broken, tmp_path / "none").returncode == 2


def test_predict_names_the_class_and_writes_the_logits(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    videos = sorted(coloured_videos([5, 6], 1).rglob("*.mp4"))
    weights = ("--weights", f"tiny={weights_file}")
    answer = bench("predict", f"{TINY}:tiny", *videos, *weights)
    assert answer.returncode == 0, answer.stderr
    for name, video in zip(sorted((NAMES[5], NAMES[6])), videos, strict=True):
        assert name in answer.stdout
        assert str(video) in answer.stdout
    logits = tmp_path / "logits.npy"
    assert bench("predict", f"{TINY}:tiny", videos[0], *weights, "--logits", logits).returncode == 0
    array = np.load(logits)
    assert array.shape == (2, 400), "two views of five frames"
    assert NAMES[array[0].argmax()] == videos[0].parent.name
    for wrong in (tmp_path / "none" / "x.npy", tmp_path / "x.bin"):
        assert "--logits" in bench("predict", f"{TINY}:tiny", videos[0], *weights, "--logits", wrong).stderr
    assert "one input" in bench("predict", f"{TINY}:tiny", *videos, *weights, "--logits", logits).stderr
    answer = bench("predict", f"{TINY}:tiny", tmp_path / "none.mp4", "--weights", "random")
    assert answer.returncode == 2
    assert "none.mp4" in answer.stderr


@pytest.mark.slow
def test_predict_gives_up_a_video_that_hangs_it(bench: Bench, coloured_videos: Videos) -> None:
    """And the message names an option that the command has."""
    (video,) = coloured_videos([2], 1).rglob("*.mp4")
    answer = bench("predict", f"{TINY}:fragile", video, "--weights", "random", "--clip-timeout", 3)
    assert answer.returncode == 2
    assert "no progress for 3 s (--clip-timeout)" in answer.stderr


def test_predict_on_real_video_asks_for_weights(bench: Bench, coloured_videos: Videos) -> None:
    (video,) = coloured_videos([8], 1).rglob("*.mp4")
    answer = bench("predict", "resnext", video)
    assert answer.returncode == 2
    assert "bench weights fetch hara-resnext-101-16f" in answer.stderr


def test_predict_of_arrays_needs_no_video(bench: Bench, weights_file: Path, tmp_path: Path) -> None:
    frames = tmp_path / "clip.npy"
    np.save(frames, np.zeros((6, 16, 16, 3), np.uint8))
    answer = bench("predict", f"{TINY}:tiny", frames, "--weights", f"tiny={weights_file}")
    assert answer.returncode == 0, answer.stderr
    assert NAMES[0] in answer.stdout
    prepared = tmp_path / "prepared.npz"
    np.savez(prepared, rgb=np.zeros((6, 16, 16, 3), np.float32))
    answer = bench("predict", f"{TINY}:tiny", prepared, "--weights", "random")
    assert answer.returncode == 0, answer.stderr
    assert "random weights" in answer.stdout
    broken = tmp_path / "broken.npy"
    broken.write_bytes(b"no array")
    answer = bench("predict", f"{TINY}:tiny", broken, frames, "--weights", "random")
    assert answer.returncode == 2
    assert "broken.npy" in answer.stderr
    assert "clip.npy" in answer.stdout, "the other input is predicted all the same"


def test_weights_are_listed_and_verified(bench: Bench) -> None:
    answer = bench("weights", "list")
    assert answer.returncode == 0
    for name in ("deepmind-rgb-imagenet", "piergiaj-rgb-imagenet", "hara-resnext-101-16f", "tfhub-i3d"):
        assert name in answer.stdout
    answer = bench("weights", "verify")
    assert answer.returncode == 0
    assert "no weights are stored" in answer.stdout
    answer = bench("weights", "fetch", "deepmind-rgb-imagnet")
    assert answer.returncode == 2
    assert "Did you mean: deepmind-rgb-imagenet" in answer.stderr


@pytest.mark.parametrize(
    ("name", "file", "backends", "shape"),
    [
        ("third", f"{THIRD}:", ("numpy", "onnx:fp32", "openvino"), "5x16x17"),
        pytest.param(
            "i3d-rgb",
            "",
            ("tensorflow:fp32:plain", "tensorflow", "torch", "torch:fp32:plain", "onnx", "openvino"),
            "9x194x193",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["small", "i3d"],
)
def test_parity_of_backends_on_this_machine(
    bench: Bench, name: str, file: str, backends: tuple[str, ...], shape: str
) -> None:
    """That i3d's backends agree is asserted without the command too: tests/models/backends/."""
    options = ("--backends", ",".join(backends), "--shapes", shape, "--threads", 1, "--weights", "random")
    answer = bench("parity", f"{file}{name}", *options)
    assert answer.returncode == 0, answer.stderr
    for other in backends[1:]:
        assert f"{name}@{other} – {name}@{backends[0]}" in answer.stdout
    assert "the backends agree" in answer.stdout


def test_parity_says_what_it_cannot_do(bench: Bench) -> None:
    assert "there is nothing to compare" in bench("parity", "resnext", "--backends", "torch").stderr
    assert "--shapes" in bench("parity", "i3d", "--shapes", "9x224").stderr
    assert "bench weights fetch deepmind" in bench("parity", "i3d", "--published").stderr
    assert "no published example" in bench("parity", "resnext", "--published").stderr


def test_parity_on_clips_tells_the_drift_of_a_class(bench: Bench, coloured_videos: Videos) -> None:
    videos = coloured_videos([5, 6], 1)
    options = ("--data", videos, "--clips", 1, "--target", NAMES[5], "--weights", "random")
    answer = bench("parity", f"{TINY}:two", "--backends", "right,right:fp32", *options)
    assert answer.returncode == 0, answer.stderr
    assert ".mp4" in answer.stdout
    assert f"P({NAMES[5]})" in answer.stdout
    assert "same to rounding" in answer.stdout
    assert "|Δ logit| 0.001" in answer.stdout, "the limit stands beside what it judges"


def test_backends_that_disagree_are_an_error(bench: Bench) -> None:
    answer = bench("parity", f"{TINY}:two", "--shapes", "4x16x16")
    assert answer.returncode == 2
    assert "the backends disagree" in answer.stderr
    assert "named twice" in bench("parity", f"{TINY}:two", "--backends", "right,right").stderr


def test_published_example_earns_a_certificate_that_reports_carry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With weights and samples of the authors' names and formats; the numbers are computed, not published.

    That other numbers are an error is tested with a smaller network, in test_third_network.py.
    """
    from dataclasses import replace

    from actionbench.bench.agreement import parity
    from actionbench.bench.agreement.certificate import certificate
    from actionbench.bench.agreement.logits import compute_logits
    from actionbench.bench.console.progress import Console
    from actionbench.bench.plan.config import RunConfig
    from actionbench.models.i3d import architecture as i3d
    from actionbench.models.i3d.published import EXAMPLE
    from actionbench.models.random_state import random_state
    from actionbench.models.registry import find_model
    from actionbench.models.weights import resolve_weights, stored_weights, write_state
    from actionbench.models.weights.catalogue import find_source
    from actionbench.models.weights.record import FIRST_USE, RECORD, digest
    from actionbench.models.weights.store import weights_folder

    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path))
    for stream, channels in i3d.CHANNELS.items():
        source = find_source(f"deepmind-{stream}-imagenet")
        folder = weights_folder() / source.folder
        folder.mkdir(parents=True)
        state = random_state(i3d.tensor_shapes(channels, 400), seed=channels, gains={})
        write_state(state, folder / source.load, "tf1-checkpoint", stream)
        files = {
            path.name: {"size": path.stat().st_size, "sha256": digest([path]), "checked": FIRST_USE}
            for path in folder.iterdir()
        }
        (folder / RECORD).write_text(json.dumps({"files": files}))
    samples = weights_folder() / find_source("deepmind-samples").folder
    samples.mkdir()
    (samples / RECORD).write_text("{}")
    rng = np.random.default_rng(0)
    example = EXAMPLE
    for stream, channels in i3d.CHANNELS.items():
        clip = rng.uniform(-1, 1, (1, 9, 193, 193, channels)).astype(np.float32)
        np.save(samples / example.files[stream], clip)
    config = RunConfig(models=("i3d",), threads=1)
    (model,) = parity.with_backends(replace(config, weights={"*": "random"}), ["onnx"], Console(), least=1)
    weights = {
        s: resolve_weights(s, d, found)
        for s, d in model.request.model.streams.items()
        if (found := stored_weights(d)) is not None
    }
    inputs = tmp_path / "inputs.npz"
    arrays = {stream: np.load(samples / file) for stream, file in example.files.items()}
    np.savez(inputs, **arrays)
    # What the network gives is taken for what was published: the way to the certificate is the test.
    (logits,) = compute_logits(replace(model, weights=weights), [inputs], config, Console())
    flat = logits.ravel().astype(np.float64)
    top = tuple((NAMES[i], float(flat[i])) for i in np.argsort(-flat)[:3])
    expected = replace(example, norm=float(np.linalg.norm(flat)), top=top)
    monkeypatch.setattr(i3d, "EXAMPLE", expected)
    parity.check_published(config, ["onnx"], Console())
    text = certificate(find_model("i3d@onnx"), weights, model.options, model.packages)
    assert text is not None
    assert "reproduced the authors' published example" in text
    assert certificate(find_model("i3d@tensorflow"), weights, model.options, model.packages) is None
    other = replace(model.options, device="cuda:0")
    assert certificate(find_model("i3d@onnx"), weights, other, model.packages) is None


def test_the_module_runs_without_a_console_script() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "actionbench", "--version"], capture_output=True, text=True, check=True
    )
    assert answer.stdout.startswith("actionbench ")


def test_input_that_is_preprocessed_needs_no_video_library(weights_file: Path, tmp_path: Path) -> None:
    """As on a machine with nothing but NumPy and a network's framework."""
    prepared = tmp_path / "prepared.npz"
    np.savez(prepared, rgb=np.zeros((6, 16, 16, 3), np.float32))
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for name in ("av", "cv2", "PIL"):
        (hidden / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n")
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "actionbench",
            "predict",
            f"{TINY}:tiny",
            prepared,
            "--weights",
            f"tiny={weights_file}",
        ],
        env=os.environ | {"PYTHONPATH": str(hidden)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert NAMES[0] in answer.stdout


def test_flow_methods_are_listed_compared_and_rendered(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    assert "DualTVL1OpticalFlow" in bench("flow", "list").stdout
    videos = coloured_videos([7], 1)
    numbers = tmp_path / "flow.json"
    answer = bench(
        *("flow", "compare", videos, "--methods", "opencv,dis", "--pairs", 1, "--repetitions", 1),
        *("--json", numbers),
    )
    assert answer.returncode == 0, answer.stderr
    written = json.loads(numbers.read_text())
    assert {row["method"] for row in written["methods"]} == {"opencv", "dis"}
    assert written["grey"] == GREY
    assert GREY.split(",")[0] in answer.stdout
    (video,) = videos.rglob("*.mp4")
    for out in (tmp_path / "flow.mp4", tmp_path / "pictures"):
        answer = bench("flow", "render", video, out, "--method", "dis")
        assert answer.returncode == 0, answer.stderr
        assert out.exists()
        assert "exists already" in bench("flow", "render", video, out).stderr
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4
    assert bench("flow", "render", video, tmp_path / "flow.gif").returncode == 2
