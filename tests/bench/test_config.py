"""The one record behind options, YAML and run.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from actionbench.bench.config import RunConfig, from_mapping, key_values, read_config
from actionbench.errors import UsageError


@given(
    models=st.lists(st.sampled_from(["i3d", "i3d@torch", "resnext", "x.py:net"]), min_size=1, unique=True),
    seed=st.integers(0, 9),
    threads=st.none() | st.integers(1, 64),
    weights=st.dictionaries(st.sampled_from(["i3d", "*"]), st.sampled_from(["random", "a/b.pt"])),
)
def test_a_configuration_survives_yaml(
    models: list[str], seed: int, threads: int | None, weights: dict[str, str]
) -> None:
    config = RunConfig(models=tuple(models), seed=seed, threads=threads, weights=weights)
    assert from_mapping(yaml.safe_load(yaml.safe_dump(config.to_dict())), "x") == config


def test_yaml_may_be_written_the_easy_way() -> None:
    config = from_mapping({"models": "i3d, resnext", "weights": "random", "max-clips": 4}, "x")
    assert config.models == ("i3d", "resnext")
    assert config.weights == {"*": "random"}
    assert config.max_clips == 4


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"model": "i3d"}, r"unknown key 'model'.*Did you mean: models"),
        ({"threads": "two"}, r"`threads` has the wrong type; expected int \| None; found 'two'"),
        ({"seed": 1.5}, "`seed` has the wrong type"),
        ({"tf32": 1}, "`tf32` has the wrong type"),
        ({"report": "no"}, "`report` has the wrong type"),
        ({"models": []}, "no model is named"),
        ({"models": ["i3d", "i3d"]}, "named twice: i3d"),
        ({"threads": 0}, "--threads: is too small"),
        ({"processes": 0}, "--processes: is too small"),
        ({"max_clips": 0}, "--max-clips: is too small"),
        ({"views": "videos"}, r"unknown value of --views 'videos'.*Did you mean: video"),
        ({"clip_timeout": 0}, "--clip-timeout"),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_mapping(raw, "x.yaml")


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
    path.write_text("models: i3d\nseed: 1\nseed: 2\n")
    with pytest.raises(UsageError, match=r"c.yaml: .*line 3, column 1: the key 'seed' stands twice"):
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
