"""The one record behind options, YAML and run.json."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from actionbench.bench.plan.config import SETTINGS, RunConfig, from_mapping
from actionbench.bench.plan.environment import MOST_PER_CORE, cores
from actionbench.errors import UsageError
from actionbench.settings import key_values, markdown_table, read_config


@given(
    models=st.lists(st.sampled_from(["i3d", "i3d@torch", "resnext", "x.py:net"]), min_size=1, unique=True),
    seed=st.integers(0, 9),
    threads=st.none() | st.integers(1, MOST_PER_CORE * cores()),
    weights=st.dictionaries(st.sampled_from(["i3d", "*"]), st.sampled_from(["random", "a/b.pt"])),
)
def test_a_configuration_survives_yaml(
    models: list[str], seed: int, threads: int | None, weights: dict[str, str]
) -> None:
    config = RunConfig(models=tuple(models), seed=seed, threads=threads, weights=weights)
    assert from_mapping(yaml.safe_load(yaml.safe_dump(config.to_dict())), "x") == config


def test_yaml_may_be_written_the_easy_way(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("models: i3d, resnext\nweights: random\nmax-clips: 4\n")
    config = from_mapping(read_config(path), "x")
    assert config.models == ("i3d", "resnext")
    assert config.weights == {"*": "random"}
    assert config.max_clips == 4


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"model": "i3d"}, r"unknown key 'model'.*Did you mean: models"),
        ({"threads": "two"}, "`threads` has the wrong type; expected a whole number, or null; found 'two'"),
        ({"models": [1]}, "`models` has the wrong type; expected a list of names, or names with commas"),
        ({"weights": [1]}, "`weights` has the wrong type; expected `name: value` pairs; found"),
        ({"report": "yes"}, "`report` has the wrong type; expected true or false; found 'yes'"),
        (
            {"threads": 10_000},
            r"--threads: is far more than this machine has cores; expected at most",
        ),
        (
            {"sweep": {"threads": "1,10000"}},
            "--sweep threads=1,10000: is far more than this machine has cores",
        ),
        ({"data": ""}, "--data: is empty"),
        ({"out": ""}, "--out: is empty"),
        ({"seed": 1.5}, "`seed` has the wrong type"),
        ({"tf32": 1}, "`tf32` has the wrong type"),
        ({"report": "no"}, "`report` has the wrong type"),
        ({"models": []}, "no model is named"),
        ({"models": ["i3d", "i3d"]}, "named twice: i3d"),
        ({"threads": 0}, "--threads: is too small"),
        ({"processes": 0}, "--processes: is too small"),
        ({"max_clips": 0}, "--max-clips: is too small"),
        ({"views": "publish"}, r"unknown value of --views 'publish'.*Did you mean: published"),
        ({"views": "video"}, r"--views video: is now called `published`"),
        ({"views": 0}, "--views 0: is no number of clips; expected 1 to 1000 clips"),
        ({"views": "-2"}, "--views -2: is no number of clips"),
        ({"clip_timeout": 0}, "--clip-timeout"),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_mapping(raw, "x.yaml")


@pytest.mark.parametrize("raw", [{"executor": "xx"}, {"scenarios": ["la"]}, {"views": "publ"}])
def test_an_unknown_value_is_an_error_of_the_file(raw: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^run\.yaml: unknown") as raised:
        from_mapping(raw, "run.yaml")
    assert raised.value.remedy is not None


def test_an_unknown_key_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(UsageError) as caught:
        from_mapping({"treads": 2}, "x.yaml")
    assert "Did you mean: threads" in str(caught.value)
    assert all(field.name in str(caught.value) for field in dataclasses.fields(RunConfig))


def test_the_document_has_every_setting() -> None:
    """Where this fails, put what `markdown_table(RunConfig)` gives at the end of the document."""
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text.endswith(f"\n{markdown_table(RunConfig)}")


def test_demo_is_the_drawn_set_whatever_files_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "train"):
        (tmp_path / name).mkdir()
    config = RunConfig(data="demo", calibration="demo:train").resolved()
    assert (config.data, config.calibration) == ("demo", "demo:train")


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(path)
    path.write_text("- 1\n- 2\n")
    with pytest.raises(UsageError, match="key: value"):
        read_config(path)
    path.write_text("a: [")
    with pytest.raises(UsageError, match="is not YAML"):
        read_config(path)
    path.write_text("max-clips: 1\nmax_clips: 2\n")
    with pytest.raises(UsageError, match=r"c.yaml: the key 'max_clips' occurs twice"):
        read_config(path)
    path.write_text("models: i3d\nseed: 1\nseed: 2\n")
    with pytest.raises(UsageError, match=r"c.yaml: .*line 3, column 1: the key 'seed' occurs twice"):
        read_config(path)
    path.write_text("weights: &a {i3d: random}\npython: *a\n")
    with pytest.raises(UsageError, match=r"c.yaml: .*line 2, column 9: aliases \(\*name\) are not read"):
        read_config(path)
    path.write_text("[" * 3000)
    with pytest.raises(UsageError, match=r"c.yaml: .*nested too deeply"):
        read_config(path)
    path.write_text("# nothing\n")
    assert read_config(path) == {}


def test_pairs() -> None:
    assert key_values("weights", ["i3d=a=b/c.pt", "random"]) == {"i3d": "a=b/c.pt", "*": "random"}
    assert key_values("python", ["torch=/x/python"]) == {"torch": "/x/python"}
    for wrong in ("i3d", "=x", "i3d="):
        with pytest.raises(UsageError, match="is not NAME=VALUE"):
            key_values("weights", [wrong])
    with pytest.raises(UsageError, match=r"is not NAME=VALUE; found dem\. Did you mean: demo\?"):
        key_values("weights", ["dem"])


def test_the_docstring_explains_every_setting() -> None:
    shown = inspect.getdoc(RunConfig) or ""
    for setting in SETTINGS.values():
        assert f"\n- `{setting.name}`: {setting.help}." in shown
