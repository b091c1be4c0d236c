"""The settings of a live session: one record behind the command line and the YAML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..flow.registry import METHODS
from ..models.detectors.registry import DETECTORS_IN_WORDS
from ..models.registry import DEFAULT_TRAINED, MODEL_IN_WORDS
from ..settings import (
    NAMES,
    NUMBER,
    SWITCH,
    TEXT,
    WEIGHTS,
    WEIGHTS_WORDS,
    WHOLE,
    documented,
    setting,
    settings_of,
)
from .capture.source import Source, parse_source
from .decision import DecisionSettings
from .web.address import WebAddress, web_address

STRIDE = 8
"""Frames from one label to the next: a third of a second at 25 frames a second."""

CLIP_MARGIN_S = 5.0
"""Seconds before and after an event in its video."""

MQTT_NAME = "camera"
"""Name of the source in the topics of a broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """Settings of `bench live`. Each field but `source`, an argument, is an option of the same name; all are
    keys of the YAML file. Raises UsageError for impossible values."""

    source: str | None = setting(
        TEXT,
        "what is watched: the number of a camera, a video file, or an address (`rtsp://`, `http://`, "
        "`https://`, `udp://`, `tcp://`). In the file, a password does not stand in the list of processes",
        None,
    )
    model: str = setting(
        TEXT,
        f"network: {MODEL_IN_WORDS}",
        DEFAULT_TRAINED,
    )
    weights: Mapping[str, str] = setting(
        WEIGHTS,
        f"weights of the network or of one stream (`MODEL-STREAM`): a path, {' or '.join(WEIGHTS_WORDS)}; by "
        "default its own, or what `bench weights fetch` stored",
        {},
    )
    device: str = setting(TEXT, "`auto`, `cpu` or `cuda:N`", "auto")
    threads: int | None = setting(WHOLE, "CPU threads of the network; by default one per core", None)
    flow: str = setting(
        TEXT,
        f"optical-flow method: {', '.join(METHODS)}, or another that `bench flow list` lists",
        "tvl1-fast",
    )
    people: str | None = setting(
        TEXT,
        f"detector of persons, {DETECTORS_IN_WORDS}: each person is followed, and recognised in a square "
        "around them (docs/people.md). By default what a network of `bench finetune` was trained with, or "
        "else none: whole frames",
        None,
    )
    zones: str | None = setting(
        TEXT,
        "YAML file of zones, `NAME: [[x, y], …]` in shares of the picture; with `people`, only persons in "
        "one of them are recognised",
        None,
    )
    stride: int = setting(
        WHOLE,
        "frames, of those that the network sees, from one label to the next; grows where needed",
        STRIDE,
    )
    as_fast_as_possible: bool = setting(
        SWITCH, "read a video file as fast as possible and drop nothing, in place of real time", False
    )
    seconds: float | None = setting(NUMBER, "seconds after which the session ends; by default never", None)
    threshold: float | None = setting(
        NUMBER,
        "probability from which on a class is recognised; by default none where the network has a class for "
        "no action, else 0.5",
        None,
    )
    exit_share: float = setting(
        NUMBER,
        "an action ends when its probability falls below this share of the level at which it starts",
        0.7,
    )
    smoothing: float = setting(NUMBER, "seconds over which probabilities are averaged", 0.5)
    hold: float = setting(
        NUMBER, "seconds for which a class must be decided without a break before its action starts", 0.5
    )
    clear_after: float = setting(
        NUMBER, "seconds after its end until an action that has not come again is cleared", 5.0
    )
    events: str | None = setting(TEXT, "file for the events, JSON lines; `-`: standard output", None)
    video: str | None = setting(TEXT, "annotated video to write, `.mp4`", None)
    clips: str | None = setting(TEXT, "folder for a video of each event", None)
    before: float | None = setting(
        NUMBER,
        "seconds before an event in its video; as an action may begin a window earlier, more than one. By "
        f"default {CLIP_MARGIN_S:g}",
        None,
    )
    after: float | None = setting(
        NUMBER, f"seconds after an event in its video; by default {CLIP_MARGIN_S:g}", None
    )
    webhook: str | None = setting(TEXT, "address that events are sent to, as JSON by POST", None)
    mqtt: str | None = setting(
        TEXT, "MQTT broker that events are published to: `mqtt://HOST` or `mqtts://HOST`", None
    )
    mqtt_name: str | None = setting(
        TEXT, f"name of the camera or the place in the topics of `mqtt`; by default `{MQTT_NAME}`", None
    )
    alert_labels: tuple[str, ...] = setting(
        NAMES,
        "classes whose events are sent to `webhook` and `mqtt` and saved in `clips`; by default all",
        (),
    )
    web: str | None = setting(
        TEXT,
        "serve a page with the picture and the labels here: `HOST:PORT`, or `PORT` on this machine alone",
        None,
    )
    token: str | None = setting(
        TEXT, "file with the token that visitors of the page need, also from other machines", None
    )
    show: bool = setting(SWITCH, "show the picture in a window", False)
    clip_timeout: float = setting(
        NUMBER, "seconds without an answer of the network until the session ends", 60.0
    )

    def __post_init__(self) -> None:
        if self.source is None:
            raise UsageError(
                "no source is named",
                where="SOURCE",
                remedy="Name a camera by its number, a video file, or the address of a stream.",
            )
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise UsageError(
                    "is out of range",
                    where=SETTINGS[name].option,
                    expected=f"{low:g} to {high:g}",
                    found=value,
                )
        source = self.parsed_source
        if self.as_fast_as_possible and source.kind != "file":
            raise UsageError(
                "is for files: a camera gives its frames in real time",
                where="--as-fast-as-possible",
                found=source.public,
            )
        for name, needed in _NEEDS.items():
            given = getattr(self, name) != SETTINGS[name].default
            if given and all(getattr(self, needs) is None for needs in needed):
                options = " or ".join(SETTINGS[needs].option for needs in needed)
                raise UsageError(f"would do nothing without {options}", where=SETTINGS[name].option)

    @property
    def parsed_source(self) -> Source:
        """The source. Raises UsageError for what is none."""
        assert self.source is not None, "checked when it was made"
        return parse_source(self.source)

    @property
    def clip_margins_s(self) -> tuple[float, float]:
        """Seconds before and after an event in its video."""
        before, after = (CLIP_MARGIN_S if each is None else each for each in (self.before, self.after))
        return before, after

    @property
    def place(self) -> str:
        """Name of the source in the topics of a broker."""
        return MQTT_NAME if self.mqtt_name is None else self.mqtt_name

    @property
    def page(self) -> WebAddress | None:
        """Where the page is served; None for none. Raises as `web_address` does."""
        if self.web is None:
            return None
        return web_address(self.web, None if self.token is None else Path(self.token))

    @property
    def decision(self) -> DecisionSettings:
        """How labels are decided."""
        return DecisionSettings(
            threshold=self.threshold,
            exit_share=self.exit_share,
            smoothing_s=self.smoothing,
            hold_s=self.hold,
            clear_after_s=self.clear_after,
        )


_NEEDS = {
    "before": ("clips",),
    "after": ("clips",),
    "mqtt_name": ("mqtt",),
    "alert_labels": ("webhook", "mqtt", "clips"),
    "token": ("web",),
}
"""Setting that does nothing alone → those of which one is needed."""

_RANGES = (
    ("stride", 1, 10_000),
    ("seconds", 0.1, 1e9),
    ("threshold", 0, 1),
    ("exit_share", 0, 1),
    ("smoothing", 0, 3600),
    ("hold", 0, 3600),
    ("clear_after", 0, 1e6),
    ("before", 0, 600),
    ("after", 0, 600),
    ("clip_timeout", 0.1, 1e6),
)
"""Setting, its least and its greatest value."""

LiveConfig.__doc__ = documented(LiveConfig)

SETTINGS = settings_of(LiveConfig)
"""Name → setting, in the order of the document."""
