"""Targets that are about data: videos, arrays, annotations, lists, recipes, composed sets."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from actionbench.array_cache import ArrayCache
from actionbench.datasets.annotations.intervals import start_end_tags, tag_runs
from actionbench.datasets.annotations.reading import read_annotations
from actionbench.datasets.check import Findings
from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.class_mapping import read_mapping
from actionbench.datasets.composed.compose import compose
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.footage import read_footage
from actionbench.datasets.composed.manifest import read_composed, write_composed
from actionbench.datasets.composed.recipe import read_recipe
from actionbench.datasets.decoder_pool import DecoderPool, work_of
from actionbench.datasets.sources.arrays import write_frames
from actionbench.datasets.sources.hmdb51 import read_split_lists as read_hmdb51
from actionbench.datasets.sources.registry import load_clips
from actionbench.datasets.sources.split_lists import read_split_lists
from actionbench.errors import ClipError
from actionbench.flow.evaluation.ground_truth import load_ground_truth
from actionbench.parsing import to_yaml

from ..datasets.annotations.conftest import FORMS, Write
from .target import Files, Target, shared_data, written

MOST_BYTES = 110_000
"""Of a real video that is changed: a small one has as many boxes, and decodes in no time."""


def write_video(path: Path, codec: str = "mpeg4", pix_fmt: str = "yuv420p", frames: int = 8) -> None:
    """A video of 48×32 pixels with something in them, 25 frames a second."""
    pixels = np.random.default_rng(0).integers(0, 256, (frames, 32, 48, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, pix_fmt
        for frame in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def _videos() -> list[Files]:
    kinds = {
        "h264.mp4": ("libx264", "yuv420p"),
        "mpeg4.avi": ("mpeg4", "yuv420p"),
        "ffv1.mkv": ("ffv1", "bgr0"),
        "png.mov": ("png", "rgb24"),
        "vp9.webm": ("libvpx-vp9", "yuv420p"),
        "flv.flv": ("flv", "yuv420p"),
        "mpeg2.ts": ("mpeg2video", "yuv420p"),
        "picture.gif": ("gif", "rgb8"),
    }
    drawn = written(
        *(lambda folder, n=name, k=kind: write_video(folder / n, *k) for name, kind in kinds.items())
    )
    data = shared_data()
    real = [] if data is None else sorted((data / "broken").iterdir())
    return [*drawn, *({each.name: each.read_bytes()} for each in real if each.stat().st_size < MOST_BYTES)]


_POOL: list[DecoderPool] = []


def _check(path: Path) -> None:
    """As `bench data check` does, in the guarded process that it decodes in."""
    if not _POOL:
        _POOL.append(DecoderPool(timeout_s=60))
    try:
        _refuse(_POOL[0].ask("check", Clip(path.name, path), Findings))
    except ClipError as error:
        if "exit status" in str(error):
            raise RuntimeError("an exception in the process that decodes") from error
        raise


def _examine(path: Path) -> None:
    """The same in this process, where an exception is seen."""
    _refuse(work_of("check")(Clip(path.name, path)))


def _refuse(found: Findings) -> None:
    if found.reason is not None:
        raise ClipError(found.reason)


def _save(name: str, **arrays: Any) -> Callable[[Path], None]:
    return lambda folder: np.savez(folder / name, **arrays)


def _arrays() -> list[Files]:
    frames = np.random.default_rng(0).integers(0, 256, (3, 6, 8, 3), np.uint8)
    floats = frames.astype(np.float32)
    return written(
        lambda folder: np.save(folder / "frames.npy", frames),
        lambda folder: write_frames(folder / "drawn.npz", frames, Fraction(30000, 1001)),
        _save("rated.npz", frames=frames, rate=np.array(12.5)),
        _save("inputs.npz", rgb=floats[None], flow=floats[..., :2]),
        lambda folder: np.save(folder / "a_rgb.npy", floats),
    )


def _cached() -> list[Files]:
    flow = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype(np.float32)
    return written(lambda folder: ArrayCache(folder, 1 << 20).put("a" * 64, flow))


ANNOTATED = {0.0: ["walking"], 0.4: ["falling"], 0.8: ["falling"], 1.2: [], 2.0: ["walking"], 2.4: ["end"]}


def annotate(write: Write, folder: Path) -> None:
    write(folder, "a b.mp4", ANNOTATED, 5)


def _annotations() -> list[Files]:
    made = written(*(partial(annotate, write) for write in FORMS.values()))
    data = shared_data()
    if data is not None:
        real = (data / "annotations" / "vott").glob("vott2_image_export.*")
        made += [{each.name: each.read_bytes()} for each in sorted(real)]
    return made


def _annotated(path: Path) -> None:
    if path.name.endswith("-asset.json"):
        projects = sorted(path.parent.glob("*.vott"))
        path = projects[0] if projects else path.parent
    recorded = path.suffix != ".csv" and path.suffix != ""
    for video in read_annotations(path, None, None if recorded else Fraction(5)):
        tag_runs(video.tags, video.rate)
        start_end_tags(video.tags, "end")


MANIFEST = (
    "path,id,label,start_s,end_s,sha256\n"
    "a.mp4,one,jogging,,,\n"
    f"b/../b.mp4,,abseiling,0.5,2,{'0' * 64}\n"
    '"c, d.mp4",three,,1e1,20.25,\n'
)
KINETICS = (
    "label,youtube_id,time_start,time_end,split,is_cc\n"
    "abseiling,0wR5jVB-WPk,417,427,val,0\njogging,_Z_N_12_34,0,10,train,1\n"
    '"hurling (sport)",3yaoNwz99xM,62,72,test,0\n'
)
SEGMENTS = "path,label,start,end,cam\na.mp4,fall,0,1.5,1\na,walk,1.5,4,1\nc/d.avi,walk,0,1,2\n"


def _lists() -> list[Files]:
    lines = "".join(
        f'{{"path": "a{n}.mp4", "id": "{n}", "label": "jogging", "start_s": {n}, "end_s": 9}}\n'
        for n in range(3)
    )
    made: list[Files] = [
        {"list.csv": MANIFEST.encode(), "a.mp4": b"x"},
        {"list.jsonl": lines.encode(), "a0.mp4": b"x"},
        {"kinetics.csv": KINETICS.encode(), "0wR5jVB-WPk_000417_000427.mp4": b"x"},
        {"segments.csv": SEGMENTS.encode(), "a.mp4": b"x", "c/d.avi": b"x"},
    ]
    data = shared_data()
    if data is not None:
        text = (data / "annotations" / "kinetics" / "kinetics-400_val.csv").read_bytes()
        made.append({"kinetics.csv": b"".join(text.splitlines(keepends=True)[:30]), "a_0_1.mp4": b"x"})
    return made


def _listed(path: Path) -> None:
    source = f"segments:{path}" if path.name == "segments.csv" else str(path)
    load_clips(source, vocabulary=("abseiling", "jogging", "hurling (sport)"))
    read_footage(source)


def _split_lists() -> list[Files]:
    made: list[Files] = [
        {"train.txt": b"A/v_A_g08_c01.avi 1\nB b/v_B_g08_c01.avi 2\n\n"},
        {"train.txt": b"0\t0\tA/v_A_g08_c01.avi\r\n1\t1\tB b/v_B_g08_c01.avi\r\n"},
        {"train.csv": b"path\nA/v_A_g08_c01.avi\nB b/v_B_g08_c01.avi\n"},
        {"run_test_split1.txt": b"A_run_f_cm_np1_fr_med_0.avi 1 \nB_run_f_cm_np1_fr_med_0.avi 2 \n"},
    ]
    data = shared_data()
    if data is not None:
        for place in ("arid/train.txt", "ucf101/testlist01.txt", "hmdb51/run_test_split1.txt"):
            path = data / "annotations" / place
            made.append({path.name: b"".join(path.read_bytes().splitlines(keepends=True)[:40])})
    return made


def _sides(path: Path) -> None:
    if path.name.endswith("_test_split1.txt"):
        read_hmdb51(path.parent)
    else:
        read_split_lists({"train": path})


RECIPE = {
    "labels": ["falling", "running"],
    "other": "drop",
    "sources": {
        "films": {
            "kind": "hmdb51",
            "path": "hmdb51",
            "list": "lists",
            "licence": "CC BY 4.0",
            "classes": {"fall_floor": "falling", "run": "running"},
            "also_shows": {"run": ["walking"]},
            "groups": "film",
            "include": ["*_run_*", "*_fall_floor_*"],
        },
        "own": {
            "path": "own",
            "licence": "own",
            "groups": {"pattern": "(?P<group>[a-z]+)[0-9]"},
            "lists": {"train": "train.txt"},
        },
        "cut": {
            "kind": "segments",
            "path": "own",
            "list": "segments.csv",
            "columns": {"label": "what"},
            "classes": {"falls": "falling"},
            "licence": "own",
            "groups": {"column": "who"},
        },
        "listed": {"kind": "manifest", "path": "m.csv", "licence": "own", "groups": {"csv": "g.csv"}},
    },
}


def recipes() -> list[Files]:
    return [
        {
            "recipe.yaml": to_yaml(RECIPE).encode(),
            "lists/run_test_split1.txt": b"A_run_f_cm_np1_fr_med_0.avi 1 \n",
            "segments.csv": b"path,what,start,end,who\nrunning/a1.mp4,falls,0,1,x\n",
            "train.txt": b"running/a1.mp4 1\n",
            "m.csv": b"path,label\nown/running/a1.mp4,running\n",
            "g.csv": b"path,group\nown/running/a1.mp4,one\n",
            "hmdb51/A_run_f_cm_np1_fr_med_0.avi": b"x",
            "hmdb51/B_fall_floor_f_cm_np1_fr_med_0.avi": b"x",
            "own/running/a1.mp4": b"x",
            "own/falling/b2.mp4": b"x",
        }
    ]


def _composed(folder: Path, name: str) -> None:
    clips = []
    for number, label in enumerate(("falling", "walking", "falling")):
        (folder / f"{number}.mp4").write_bytes(b"x")
        clips.append(Clip(f"s/{number}", folder / f"{number}.mp4", label, 0.5, 2.0))
    examples = tuple(Example(clip, "s", f"s/{clip.label}", "fall", "train") for clip in clips)
    write_composed(folder / name, ComposedSet("set", ("falling", "walking"), examples, {"s": "CC0"}, "12ab"))


def _flow_truth(folder: Path) -> None:
    text = io.BytesIO()
    text.write(np.array([202021.25], "<f4").tobytes() + np.array([4, 3], "<i4").tobytes())
    text.write(np.ones((3, 4, 2), "<f4").tobytes())
    picture = b"P6\n4 3\n255\n" + bytes(36)
    for name, content in (("a_img1.ppm", picture), ("a_img2.ppm", picture), ("a_flow.flo", text.getvalue())):
        (folder / name).write_bytes(content)


TARGETS = (
    Target("video", _videos, _examine, share=0.6, guided=False),
    Target("video, guarded", _videos, _check, share=0.2, guided=False),
    Target("array file", _arrays, _examine),
    Target("cache of arrays", _cached, lambda path: ArrayCache(path.parent, 1 << 20).get(path.stem)),
    Target("VoTT annotations", _annotations, _annotated),
    Target("manifest, Kinetics and segment lists", _lists, _listed),
    Target("split lists", _split_lists, _sides),
    Target("recipe of a set", recipes, lambda path: compose(read_recipe(path), "set")),
    Target(
        "composed set",
        lambda: written(*(partial(_composed, name=f"set.{ending}") for ending in ("csv", "jsonl"))),
        read_composed,
    ),
    Target(
        "class mapping",
        lambda: [{"mapping.yaml": to_yaml({"falling": ["falling off bike"], "other": "*"}).encode()}],
        lambda path: read_mapping(path).matrix(["falling", "other"], ["falling off bike", "jogging"]),
    ),
    Target("true optical flow", lambda: written(_flow_truth), lambda path: load_ground_truth(path.parent)),
)
