"""The settings of a live session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actionbench.errors import UsageError
from actionbench.live.config import SETTINGS, LiveConfig
from actionbench.settings import from_mapping, markdown_table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "live.md"


def test_every_default_is_a_possible_value_and_is_documented() -> None:
    config = LiveConfig(source="0")
    assert config.parsed_source.public == "camera 0"
    assert config.decision.smoothing_s == config.smoothing
    document = LiveConfig.__doc__ or ""
    assert all(f"`{name}`" in document for name in SETTINGS)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"source": None}, "no source is named"),
        ({"stride": 0}, "--stride: is out of range; expected 1 to 10000; found 0"),
        ({"seconds": 0.0}, "--seconds"),
        ({"seconds": float("nan")}, "--seconds"),
        ({"threshold": 1.5}, "--threshold"),
        ({"after": -1.0}, "--after"),
        ({"as_fast_as_possible": True}, "is for files"),
        ({"alert_labels": ("falling",)}, "without --webhook or --mqtt or --clips"),
        ({"token": "token.txt"}, "--token: would do nothing without --web"),
        ({"before": 3.0}, "--before: would do nothing without --clips"),
        ({"before": 5.0}, "--before: would do nothing without --clips"),
        ({"after": 5.0}, "--after: would do nothing without --clips"),
        ({"mqtt_name": "camera"}, "--mqtt-name: would do nothing without --mqtt"),
        ({"after": 0.0}, "--after: would do nothing without --clips"),
        ({"mqtt_name": "hall"}, "--mqtt-name: would do nothing without --mqtt"),
        ({"mqtt_name": "hall", "webhook": "http://x.org"}, "--mqtt-name: would do nothing without --mqtt"),
    ],
)
def test_impossible_values(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        LiveConfig(**{"source": "0", **values})
    assert says in str(caught.value)


def test_settings_of_an_output_that_is_there() -> None:
    clips = LiveConfig(source="0", clips="clips", before=3, after=0, alert_labels=("falling",))
    assert clips.clip_margins_s == (3.0, 0.0)
    assert LiveConfig(source="0", clips="clips").clip_margins_s == (5.0, 5.0)
    mqtt = LiveConfig(source="0", mqtt="mqtt://x.org", mqtt_name="hall", alert_labels=("falling",))
    assert mqtt.place == "hall"
    assert LiveConfig(source="0", mqtt="mqtt://x.org").place == "camera"
    LiveConfig(source="0", webhook="http://x.org", alert_labels=("falling",))


def test_values_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "walk.mp4"
    path.touch()
    raw = {
        "source": str(path),
        "as_fast_as_possible": True,
        "stride": 4,
        "alert_labels": [],
        "threshold": 1,
    }
    config = from_mapping(LiveConfig, raw, "--config live.yaml")
    assert (config.stride, config.threshold, config.parsed_source.kind) == (4, 1.0, "file")
    with pytest.raises(UsageError, match="strid"):
        from_mapping(LiveConfig, {"strid": 4}, "--config live.yaml")


def test_the_document_has_all_settings() -> None:
    """Where this fails, put what `markdown_table(LiveConfig)` gives at the end of the document."""
    assert DOCUMENT.read_text(encoding="utf-8").endswith(f"\n{markdown_table(LiveConfig)}")
