"""What I3D's authors published of their network's answer to a sample of theirs."""

from __future__ import annotations

from ..spec import PublishedExample

EXAMPLE = PublishedExample(
    samples="deepmind-samples",
    files={"rgb": "v_CricketShot_g04_c01_rgb.npy", "flow": "v_CricketShot_g04_c01_flow.npy"},
    weights={"rgb": "deepmind-rgb-imagenet", "flow": "deepmind-flow-imagenet"},
    frames=79,
    norm=138.468643,
    top=(
        ("playing cricket", 41.8137),
        ("hurling (sport)", 21.4943),
        ("catching or throwing baseball", 20.1341),
    ),
)
"""Of the two streams together (google-deepmind/kinetics-i3d: README, evaluate_sample.py)."""
