"""The one record behind options, YAML and a result's config.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from actionbench.errors import UsageError
from actionbench.settings import from_mapping, markdown_table, to_plain
from actionbench.training.config import FinetuneConfig

DOCUMENT = Path(__file__).parents[2] / "docs" / "fine-tuning.md"


def test_a_configuration_survives_yaml() -> None:
    config = FinetuneConfig(
        data="x.csv", lr_steps=(3, 9), max_share={"falling": "0.1"}, filters=("add", "blur"), window=32
    )
    plain = yaml.safe_load(yaml.safe_dump(to_plain(config)))
    assert from_mapping(FinetuneConfig, plain, "x") == config
    assert config.shares == {"falling": 0.1}


def test_the_document_has_the_table_of_settings() -> None:
    assert markdown_table(FinetuneConfig) in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": None}, "--data: no data is named"),
        ({"split": "fold:6/5"}, "--split: there is no such fold"),
        ({"split": "half"}, "--split: is no split; expected fold:N/COUNT"),
        ({"train": "last:0"}, "--train: cannot be read"),
        ({"loss": "mse"}, "unknown value of --loss 'mse'"),
        ({"augmentation": "many"}, "unknown augmentation mode 'many'"),
        ({"strengths": {"blurr": "2"}}, "--strengths: unknown strength 'blurr'"),
        ({"strengths": {"blur": "much"}}, "--strengths blur: is not a number; found much"),
        ({"learning_rate": float("nan")}, "--learning-rate: is out of range"),
        ({"lr_steps": (9, 3)}, "--lr-steps: must rise"),
        ({"batch_norm": "moving", "draws": 4}, "--draws 4: would do nothing"),
        ({"train": "all", "draws": 4}, "--draws 4: would do nothing"),
        ({"device": "cuda"}, "--device: unknown device"),
        ({"baseline": "prob"}, "unknown value of --baseline 'prob'. Did you mean: probe?"),
        ({"baseline": "probe", "loss": "logit-adjustment"}, "--baseline probe: is no loss of a baseline"),
        ({"baseline": "probe", "weights": "scratch", "train": "all"}, "has no features to probe"),
        ({"weights": "scratch"}, "--train head: leaves random blocks as they are"),
        ({"favour": "recall"}, "--favour: no class is named"),
        ({"cost_miss": 5.0, "cost_false_alarm": 1.0}, "--cost-miss, --cost-false-alarm: no class is named"),
        ({"target": "falling", "favour": "speed"}, "unknown value of --favour 'speed'"),
        ({"target": "falling", "cost_miss": 5.0}, "one cost alone decides nothing"),
        ({"weights": "scratch", "train": "all", "batch_norm": "fixed"}, "has no statistics to keep"),
    ],
)
def test_what_makes_no_sense_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        FinetuneConfig(**{"data": "x.csv", **given})
    assert message in str(raised.value)


def test_windows_are_drawn_as_often_as_it_makes_a_difference() -> None:
    assert FinetuneConfig(data="x").drawn_windows == 4
    assert FinetuneConfig(data="x", draws=7).drawn_windows == 7
    fixed: dict[str, Any] = {"crop": "centre", "jitter": False, "mirror": False}
    assert FinetuneConfig(data="x", draws=7, **fixed).drawn_windows == 1
    assert FinetuneConfig(data="x", augmentation="one", **fixed).drawn_windows == 4
