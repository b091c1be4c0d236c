"""`--backends` and `--precisions`."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from actionbench.bench.plan import selection
from actionbench.bench.plan.config import RunConfig, from_mapping
from actionbench.bench.plan.selection import expanded
from actionbench.errors import UsageError
from actionbench.models import capabilities, registry
from actionbench.models.families.registry import family_names, family_of


def names(*models: str, backends: str = "", precisions: str = "") -> tuple[tuple[str, ...], list[str]]:
    said: list[str] = []
    raw = {"models": list(models), "backends": backends, "precisions": precisions, "device": "cpu"}
    config = expanded(from_mapping(raw, "test"), said.append)
    assert config.backends == config.precisions == ()
    return config.models, said


def test_nothing_asked_leaves_the_names() -> None:
    assert names("i3d", "resnext@torch:fp32:plain") == (("i3d", "resnext@torch:fp32:plain"), [])


def test_each_model_gets_each_backend_that_it_has() -> None:
    models, said = names("i3d", "resnext", backends="tensorflow,torch")
    assert models == ("i3d@tensorflow", "i3d@torch", "resnext@torch")
    assert said == ["left out: unknown backend of resnext 'tensorflow'"]


def test_a_choice_of_the_users_own_stays() -> None:
    models, _ = names("i3d@torch", "i3d-rgb@torch:fp32:plain", backends="tensorflow", precisions="fp32,bf16")
    assert models == ("i3d@torch:fp32", "i3d@torch:bf16", "i3d-rgb@torch:fp32:plain")


def test_all_leaves_out_what_this_machine_cannot_run_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capabilities, "cpu_flags", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    lacking = replace(capabilities.BACKENDS["tfhub"], packages=("no_such_package",))
    monkeypatch.setitem(capabilities.BACKENDS, "tfhub", lacking)
    models, said = names("resnext", "i3d-rgb", backends="all", precisions="fp32,bf16")
    assert "resnext@torch:fp32" in models
    assert not [name for name in models if name.endswith("bf16") or "tfhub" in name]
    assert any("resnext@torch:bf16: this CPU has no AVX-512" in line for line in said)
    assert any(
        "i3d-rgb@tfhub:fp32: " in line and "lacks no_such_package: `pip install" in line for line in said
    )


def test_all_leaves_out_what_has_no_random_weights() -> None:
    raw = {"models": ["i3d-rgb"], "backends": "all", "device": "cpu", "weights": "random"}
    said: list[str] = []
    assert "i3d-rgb@tfhub" not in expanded(from_mapping(raw, "test"), said.append).models
    assert any("i3d-rgb@tfhub" in line and "no random weights" in line for line in said)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"backends": "tensorflow"},
            "--backends: none of the models has 'tensorflow'. Known: all, onnx",
        ),
        ({"precisions": "fp8"}, "--precisions: none of the models has 'fp8'"),
        (
            {"backends": "torch,tochr"},
            "--backends: none of the models has 'tochr'. Did you mean: torch?",
        ),
        ({"backends": "onnx", "precisions": "bf16"}, "resnext: has none of the combinations"),
        ({"precisions": "fp32,fp8"}, "--precisions: none of the models has 'fp8'"),
    ],
)
def test_words_that_mean_nothing_are_errors(options: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError) as error:
        names("resnext", **options)
    assert says in str(error.value)


def test_tables_for_people_name_every_precision() -> None:
    rows = selection.capabilities_rows(capabilities.BACKENDS)
    asked = [(name, p) for name, backend in capabilities.BACKENDS.items() for p in backend.precisions]
    assert [(row[0], row[1]) for row in rows] == asked
    assert all(row[3].startswith(("yes", "no: ")) for row in rows)
    assert RunConfig().to_dict()["backends"] == []


def test_a_set_is_its_members_and_what_cannot_run_here_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = replace(capabilities.BACKENDS["tensorflow"], packages=("no_such_package",))
    monkeypatch.setitem(capabilities.BACKENDS, "tensorflow", lacking)
    monkeypatch.setattr(
        "actionbench.models.registry.names.SETS",
        {"few": ("i3d-rgb", "resnext", "absent:net", "resnet18@tfhub")},
    )
    models, said = names("i3d", "@few", "resnext")
    assert models == ("i3d", "i3d-rgb@torch", "resnext"), "the first backend that runs; no model twice"
    assert [line.split(":")[0] for line in said] == ["left out of @few"] * 2
    assert "absent:net: unknown model" in said[0]
    assert "resnet18@tfhub: unknown backend of resnet18" in said[1]
    models, _ = names("@few", backends="torch")
    assert models == ("i3d-rgb@torch", "resnext@torch")


def test_members_whose_packages_are_not_installed_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    models, said = names("@realtime")
    assert models == tuple(name for name in registry.SETS["realtime"] if not name.startswith("tv:"))
    (line,) = said
    left_out = (name for name in registry.SETS["realtime"] if name.startswith("tv:"))
    assert line.startswith(f"left out of @realtime: {', '.join(left_out)}: "), "a remedy is said once"
    assert "lacks torchvision: `pip install 'actionbench[torchvision]'`" in line
    # Another interpreter is asked itself.
    (tmp_path / "torchvision.py").touch()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    raw = {"models": ["@realtime"], "device": "cpu", "python": {"torch": str(python)}}
    assert "tv:s3d" in expanded(from_mapping(raw, "test"), said.append).models


def test_a_set_of_which_nothing_runs_or_that_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actionbench.models.registry.names.SETS", {"none": ("absent:net",)})
    with pytest.raises(UsageError, match=r"@none: this machine can run none of its models.*absent:net"):
        names("@none")
    with pytest.raises(UsageError, match=r"unknown set of models 'all'"):
        names("@all")


def test_members_of_our_sets_are_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members of families count where this version has the family."""
    monkeypatch.chdir(tmp_path)
    for members in registry.SETS.values():
        assert len(set(members)) == len(members)
        for member in members:
            if family_of(member) is not None:
                assert member in family_names(member.partition(":")[0])
            elif ":" not in member:
                assert member in registry.MODELS
    # A folder of `bench finetune` is no part of a set's name.
    (tmp_path / "model.json").write_text("{}")
    assert from_mapping({"models": ["@realtime"]}, "test").resolved().models == ("@realtime",)
