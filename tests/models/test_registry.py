"""From words on the command line to a model and its backend."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actionbench import registry
from actionbench.errors import BackendUnavailable, UsageError
from actionbench.models import capabilities
from actionbench.models.capabilities import missing_packages
from actionbench.models.families.registry import Family, family_names, family_packages
from actionbench.models.registry import absolute_model, find_model, load_network, model_names
from actionbench.models.spec import LoadOptions, Weights

Write = Callable[[str, str], Path]


@pytest.mark.parametrize(
    ("request_", "name", "backend"),
    [
        ("i3d", "i3d", "tensorflow"),
        ("i3d@torch", "i3d", "torch"),
        ("i3d-rgb@tfhub", "i3d-rgb", "tfhub"),
        ("i3d-flow", "i3d-flow", "tensorflow"),
        ("resnext", "resnext", "torch"),
        ("resnext-64f@torch", "resnext-64f", "torch"),
        ("resnet18", "resnet18", "torch"),
        ("resnext:K=32@onnx", "resnext", "onnx"),
    ],
)
def test_names(request_: str, name: str, backend: str) -> None:
    found = find_model(request_)
    assert (found.key, found.model.name, found.backend) == (request_, name, backend)


def test_a_request_may_name_the_frames_of_a_window() -> None:
    views = find_model("resnext:K=32").model.views
    assert (views.window, views.stride, views.average) == (32, 32, "softmax")
    assert find_model("i3d-rgb:K=16@torch").model.views.single_frames == 16
    with pytest.raises(UsageError, match="i3d-rgb:K=8: is too short for the network; expected at least 9"):
        find_model("i3d-rgb:K=8")
    with pytest.raises(UsageError, match="unknown model 'resnext:K='"):
        find_model("resnext:K=")
    with pytest.raises(UsageError, match="unknown model 'resnext:K=9999999999'"):
        find_model("resnext:K=9999999999")


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("i3d", ("tensorflow", "fp32", "tuned")),
        ("i3d@torch:bf16", ("torch", "bf16", "tuned")),
        ("resnext@torch:fp32:plain", ("torch", "fp32", "plain")),
        ("i3d-rgb@tfhub", ("tfhub", "fp32", "plain")),
    ],
)
def test_selections(request_: str, found: tuple[str, str, str]) -> None:
    request = find_model(request_)
    assert (request.backend, request.precision, request.variant) == found
    assert request.name == request_.partition("@")[0]
    options = request.apply(LoadOptions(threads=3))
    assert (options.threads, options.precision, options.variant) == (3, *found[1:])


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("i3d@torch:fp16", "float16 gains nothing on a CPU"),
        ("i3d@torch:tf32", "TF32 is an arithmetic of CUDA devices"),
        ("i3d@torch:fp32:graphs", "CUDA graphs need a CUDA device"),
    ],
)
def test_what_a_cpu_does_not_compute_is_refused_with_the_reason(request_: str, says: str) -> None:
    request = find_model(request_)
    with pytest.raises(BackendUnavailable, match=f"{request_}: {says}.*bench models"):
        load_network(request, random_weights(request.model), LoadOptions())


def test_bfloat16_asks_what_the_processor_has(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = find_model("i3d@torch:bf16").offered

    def on(*flags: str) -> tuple[str | None, str | None]:
        monkeypatch.setattr(capabilities, "cpu_flags", lambda: frozenset(flags))
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        return capabilities.why_not(offered, "bf16", "tuned", "cpu"), capabilities.caution("bf16", "cpu")

    refused, _ = on("avx2", "fma")
    assert refused is not None
    assert "no AVX-512" in refused
    runs, slow = on("avx2", "avx512bw")
    assert runs is None
    assert slow is not None
    assert "emulated" in slow
    assert on("avx2", "avx512bw", "avx512_bf16") == (None, None)
    assert capabilities.why_not(offered, "bf16", "tuned", "cuda:0") is None


def test_every_precision_and_variant_of_the_table_is_explained() -> None:
    for backend in capabilities.BACKENDS.values():
        assert set(backend.precisions) <= capabilities.PRECISIONS.keys()
        assert {
            variant for p in backend.precisions for variant in backend.variants(p)
        } <= capabilities.VARIANTS.keys()


def test_every_name_is_the_models_own() -> None:
    assert {name: find_model(name).model.name for name in model_names()} == {n: n for n in model_names()}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("resnet", "unknown model 'resnet'. Did you mean: resnext"),
        ("", "unknown model ''"),
        ("i3d@tensorfow", "unknown backend of i3d 'tensorfow'. Did you mean: tensorflow"),
        ("resnext@tensorflow", "unknown backend of resnext 'tensorflow'. Known: onnx, openvino, torch"),
        ("i3d@", "unknown backend of i3d ''"),
        ("i3d-flow@tfhub", "unknown backend of i3d-flow 'tfhub'"),
        ("i3d@torch:fp8", "unknown precision of i3d@torch 'fp8'. Known: bf16, fp16, fp32, tf32"),
        ("i3d@torch:", "unknown precision of i3d@torch ''"),
        ("i3d-rgb@tfhub:bf16", "unknown precision of i3d-rgb@tfhub 'bf16'. Known: fp32, tf32"),
        ("resnext@torch:fp32:tunde", "unknown variant of resnext@torch:fp32 'tunde'. Did you mean: tuned"),
        ("i3d@torch:fp32:plain:2", "expected NAME@BACKEND:PRECISION:VARIANT"),
        ("nowhere/net.py:net", "nowhere/net.py: there is no such file"),
    ],
)
def test_unknown_names_are_errors_with_near_ones(request_: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        find_model(request_)
    assert says in str(error.value)


def test_listing_models_imports_no_framework() -> None:
    script = (
        "import sys\n"
        "from actionbench.models.capabilities import missing_packages\n"
        "from actionbench.models.registry import find_model, model_names\n"
        "requests = [find_model(name) for name in model_names()]\n"
        "assert not any(missing_packages(request.offered) for request in requests)\n"
        "heavy = {'tensorflow', 'torch', 'sonnet', 'tensorflow_hub', 'cv2', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


FACTORY = """
from actionbench.models.resnext import architecture as resnext
from dataclasses import replace

def net():
    return replace(resnext.resnext(), name="mine", backends={"first": load, "second": load})

def load(model, weights, options):
    raise KeyError("lost")

def number():
    return 7

def broken():
    return undefined

value = 3
"""


def test_factory_in_a_file(text_file: Write) -> None:
    path = text_file("my@net.py", FACTORY)
    found = find_model(f"{path}:net")
    assert (found.key, found.model.name, found.backend) == (f"{path}:net", "mine", "first")
    second = find_model(f"{path}:net@second:fp32")
    assert (second.backend, second.name) == ("second", f"{path}:net")


def test_precisions_of_a_users_own_network_are_those_that_it_names(text_file: Write) -> None:
    path = text_file("net.py", FACTORY)
    with pytest.raises(UsageError, match="unknown precision of mine@first 'bf16'"):
        find_model(f"{path}:net@first:bf16")
    text = FACTORY.replace('name="mine",', 'name="mine", precisions={"first": ("fp32", "bf16")},')
    path = text_file("net.py", text)
    assert find_model(f"{path}:net@first:bf16").precision == "bf16"
    with pytest.raises(UsageError, match="unknown precision of mine@second 'bf16'"):
        find_model(f"{path}:net@second:bf16")


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        (":nat", "Did you mean: net"),
        (":value", "unknown factory"),
        (":number", "factory gave no model"),
        (":broken", "fails with NameError: name 'undefined' is not defined"),
        ("", "names no factory"),
        (":net@third", "unknown backend of mine 'third'"),
    ],
)
def test_mistakes_in_a_file_are_errors_that_name_it(text_file: Write, ending: str, says: str) -> None:
    path = text_file("net.py", FACTORY)
    with pytest.raises(UsageError) as error:
        find_model(f"{path}{ending}")
    assert says in str(error.value)
    assert str(path) in str(error.value) or "mine" in str(error.value)


def test_only_what_could_be_a_factory_is_suggested(text_file: Write) -> None:
    text = "from fractions import Fraction\nfrom pathlib import PurePath\nclass Net: pass\n" + FACTORY
    with pytest.raises(UsageError) as error:
        find_model(f"{text_file('net.py', text)}:Fractoin")
    assert error.value.remedy == "Known: broken, net, number"
    with pytest.raises(UsageError, match="Known: none"):
        find_model(f"{text_file('empty.py', 'value = 3')}:net")


@pytest.mark.parametrize("text", ["def net(:", "import no_such_module", "1 / 0"])
def test_file_that_does_not_run(text_file: Write, text: str) -> None:
    path = text_file("net.py", text)
    with pytest.raises(UsageError, match="fails with") as error:
        find_model(f"{path}:net")
    assert str(path) in str(error.value)


def random_weights(model: Any) -> dict[str, Weights]:
    return {stream: Weights("random", each) for stream, each in model.streams.items()}


def test_failing_loader_of_a_file_is_an_error_that_names_it(text_file: Write) -> None:
    path = text_file("net.py", FACTORY)
    request = find_model(f"{path}:net")
    with pytest.raises(UsageError, match="KeyError: 'lost'") as error:
        load_network(request, random_weights(request.model), LoadOptions())
    assert str(path) in str(error.value)


def test_loader_must_give_a_network(text_file: Write) -> None:
    path = text_file("net.py", FACTORY.replace('raise KeyError("lost")', "return print"))
    request = find_model(f"{path}:net")
    with pytest.raises(UsageError, match="upload, forward, download, synchronize, describe"):
        load_network(request, random_weights(request.model), LoadOptions())


def test_each_stream_needs_weights() -> None:
    request = find_model("i3d@torch")
    weights = random_weights(request.model)
    del weights["flow"]
    with pytest.raises(UsageError, match="expected rgb, flow; found rgb"):
        load_network(request, weights, LoadOptions())


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = replace(capabilities.BACKENDS["torch"], packages=("torch", "no_such_package"), extra="more")
    monkeypatch.setitem(capabilities.BACKENDS, "torch", lacking)
    request = find_model("resnext@torch")
    assert missing_packages(request.offered) == ("no_such_package",)
    says = r"not installed: no_such_package.*pip install 'actionbench\[more\]'"
    with pytest.raises(BackendUnavailable, match=says):
        load_network(request, random_weights(request.model), LoadOptions())


def test_models_of_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = EntryPoint("mine", "actionbench.models.resnext.architecture:resnext", "actionbench.models")
    monkeypatch.setattr(registry, "added", lambda group: (mine,) if group == mine.group else ())
    assert find_model("mine").model.name == "resnext"


def test_a_set_is_not_one_model() -> None:
    with pytest.raises(UsageError, match=r"@realtime: is a set of models, where one model is expected"):
        find_model("@realtime")
    with pytest.raises(UsageError, match=r"unknown set of models 'realtme'.*Did you mean: realtime"):
        find_model("@realtme")


def test_families_may_list_their_names_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "made_up", SimpleNamespace(make=None, NAMES=("a", "b")))
    monkeypatch.setitem(sys.modules, "open_ended", SimpleNamespace(make=None, PACKAGES={"a": "install a"}))
    families = {"tv": Family(("tv:NAME",), "made_up:make"), "hf": Family(("hf:REPO",), "open_ended:make")}
    monkeypatch.setattr("actionbench.models.families.registry.FAMILIES", families)
    assert family_names("tv") == ("tv:a", "tv:b")
    assert family_packages("tv") == {}
    assert family_names("hf") == ()
    assert family_packages("hf") == {"a": "install a"}


@pytest.mark.parametrize("rest", ["", ":K=32", "@torch:bf16", ":K=32@torch"])
def test_paths_are_made_absolute_whatever_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.onnx", "folder@home", "s3d"):
        Path(name).touch()
    assert absolute_model(f"onnx:net.onnx{rest}") == f"onnx:{tmp_path}/net.onnx{rest}"
    assert absolute_model(f"hf:folder@home{rest}") == f"hf:{tmp_path}/folder@home{rest}"
    assert absolute_model(f"hf:owner/name@main{rest}") == f"hf:owner/name@main{rest}"
    # A name of a fixed list is no path.
    assert absolute_model(f"tv:s3d{rest}") == f"tv:s3d{rest}"


def test_the_window_of_a_family_stands_behind_a_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def make(name: str) -> Any:
        asked.append(name)
        return find_model("resnext").model

    monkeypatch.setitem(sys.modules, "made_up", SimpleNamespace(make=make))
    monkeypatch.setattr(
        "actionbench.models.families.registry.FAMILIES", {"hf": Family(("hf:NAME",), "made_up:make")}
    )
    assert find_model("hf:owner/name@v1:K=32@torch").window == 32
    assert find_model("hf:owner/name@v1@torch").window is None
    assert asked == ["owner/name@v1"] * 2


def test_other_windows_have_none_of_the_published_figures() -> None:
    (described,) = find_model("resnext").model.streams.values()
    assert described.figures is not None
    (cut,) = find_model("resnext:K=32").model.streams.values()
    assert (cut.figures, cut.reported_accuracy) == (None, "")
