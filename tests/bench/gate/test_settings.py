"""The settings of a gate as its directory has them."""

from __future__ import annotations

from actionbench.bench.gate.config import GateConfig


def test_the_word_video_of_earlier_gates_is_the_published_protocol() -> None:
    now = GateConfig(base="HEAD", run={"models": ["i3d"], "views": "published"})
    before = now.to_dict() | {"run": {"models": ["i3d"], "views": "video"}}
    assert GateConfig.from_dict(before) == now
