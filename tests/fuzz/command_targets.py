"""Targets that are commands: files as a user has them read, from the words to the exit code."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.cli import app
from actionbench.datasets.archives import stream
from actionbench.downloads.web import RetryPolicy
from actionbench.errors import EXIT_CODES, ActionBenchError, UsageError
from actionbench.parsing import to_yaml

from ..conftest import without_pictures
from ..datasets.annotations.conftest import FORMS, Write
from .data_targets import annotate, recipes, write_video
from .record_targets import gates, histories, predictions, runs
from .target import Files, Target, written
from .weight_targets import write_trained


def command(words: Callable[[Path], tuple[object, ...]]) -> Callable[[Path], None]:
    """Function that reads an input by a command in this process.

    - `words`: function that gives the command's words for the path of an input's first file.

    It raises the error that the command has ended with, and AssertionError where the exit code is none of
    those that are documented, or no message says what is wrong.
    """

    def read(path: Path) -> None:
        said, errors = io.StringIO(), list[Exception]()
        commands = app._command()

        def noting(*arguments: Any, **options: Any) -> Any:
            try:
                return commands(*arguments, **options)
            except ActionBenchError as error:
                errors.append(error)
                raise

        with pytest.MonkeyPatch.context() as patch, without_pictures():
            patch.setattr(app, "_command", lambda: noting)
            patch.setattr(stream, "RetryPolicy", lambda: RetryPolicy(1.0, attempts=1, pause_s=0.0))
            with redirect_stdout(io.StringIO()), redirect_stderr(said):
                code = app.run_app([str(word) for word in words(path)])
        if code != UsageError.exit_code:
            assert code in EXIT_CODES.values(), f"exit code {code}: …{said.getvalue()[-250:]}"
            return
        assert "bench: error: " in said.getvalue(), f"no error of ours: …{said.getvalue()[-250:]}"
        raise errors[0] if errors else UsageError(said.getvalue())

    return read


def _two_runs() -> list[Files]:
    return [{**run, **{f"other/{name}": content for name, content in run.items()}} for run in runs()]


def _listed_videos() -> list[Files]:
    def write(folder: Path) -> None:
        write_video(folder / "a.mp4", frames=20)
        (folder / "b.mp4").write_bytes(b"x")
        clips = "a.mp4,one,jogging,,\na.mp4,two,abseiling,0.2,0.8\nb.mp4,,jogging,,\nc.mp4,,yoga,,\n"
        (folder / "list.csv").write_text(f"path,id,label,start_s,end_s\n{clips}")

    return written(write)


def _annotated_videos() -> list[Files]:
    def write(form: Write, folder: Path) -> None:
        write_video(folder / "a b.mp4", frames=64)
        annotate(form, folder)

    return written(*(partial(write, form) for form in FORMS.values()))


def _archived_sets() -> list[Files]:
    """A set of each layout, with its archive; the second time with what an earlier fetch has left."""
    made: list[Files] = []
    for kind, beside, more in (
        ("folders", {}, {}),
        ("webdataset", {"yoga/b.json": b'{"action": "yoga"}'}, {"label": "json:action"}),
        ("kinetics", {}, {}),
    ):
        video = "yoga/b_000001_000011.mp4" if kind == "kinetics" else "yoga/b.mp4"

        def write(
            folder: Path, kind: str = kind, members: Any = beside, more: Any = more, video: str = video
        ) -> None:
            write_video(folder / "b.mp4", frames=20)
            content = (folder / "b.mp4").read_bytes()
            (folder / "b.mp4").unlink()
            with tarfile.open(folder / "part.tar", "w") as archive:
                for name, data in {video: content, **members}.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
            (folder / "parts.txt").write_text("part.tar\n")
            split: dict[str, Any] = {"list": "parts.txt"}
            if kind == "kinetics":
                (folder / "val.csv").write_text(
                    "label,youtube_id,time_start,time_end,split\nyoga,b,1,11,val\nyoga,c,0,10,val\n"
                )
                split["annotations"] = "val.csv"
            described = {
                "name": "mine",
                "title": "A set",
                "licence": "CC0",
                "base": ".",
                "layout": {"kind": kind, **more},
                "splits": {"val": split},
            }
            (folder / "mine.yaml").write_text(to_yaml(described))

        made += written(write)
    key = {"key": "yoga/b.mp4", "part": "part.tar", "suffix": ".mp4", "size": 3, "sha256": "0" * 64}
    ledger = json.dumps(key) + "\n" + json.dumps(key | {"key": "c", "reason": "broken"}) + "\n"
    return [*made, {**made[0], "fetched/fetched.jsonl": ledger.encode(), "fetched/yoga/b.mp4": b"abc"}]


def _trained_networks() -> list[Files]:
    (network,), (found,) = written(write_trained), predictions()
    return [{**network, **found}]


def _cut(path: Path) -> tuple[object, ...]:
    project = path.parent if path.name.endswith("-asset.json") else path
    return ("data", "cut", project, "--videos", path.parent, "--rate", 5, "--min-frames", 3)


def _fetch(path: Path) -> tuple[object, ...]:
    return ("data", "fetch", path, "--split", "val", "--per-class", 1, "--out", path.with_name("fetched"))


TARGETS = (
    Target("bench report", runs, command(lambda path: ("report", path.parent)), share=0.2, guided=False),
    Target(
        "bench compare",
        _two_runs,
        command(lambda path: ("compare", path.parent / "other", path.parent)),
        share=0.2,
        guided=False,
    ),
    Target(
        "bench history add",
        lambda: [*runs(), *gates()],
        command(lambda path: ("history", "add", path.parent, path.with_name("a.jsonl"), "--commit", "abc")),
        share=0.2,
        guided=False,
    ),
    Target(
        "bench history show",
        histories,
        command(lambda path: ("history", "show", path, "--metric", "all")),
        share=0.2,
        guided=False,
    ),
    Target(
        "bench operating-point",
        _trained_networks,
        command(lambda path: ("operating-point", path.parent, "--target", "falling")),
        share=0.2,
        guided=False,
    ),
    Target(
        "bench data check",
        _listed_videos,
        command(lambda path: ("data", "check", path, "--workers", 1, "--out", path.with_name("table.csv"))),
        share=0.1,
        guided=False,
    ),
    Target(
        "bench data compose",
        recipes,
        command(
            lambda path: ("data", "compose", path, path.with_name("set.csv"), "--no-decode", "--folds", 2)
        ),
        share=0.2,
        guided=False,
    ),
    Target(
        "bench data cut",
        _annotated_videos,
        command(_cut),
        share=0.1,
        guided=False,
    ),
    Target("bench data fetch", _archived_sets, command(_fetch), share=0.2, guided=False),
)
