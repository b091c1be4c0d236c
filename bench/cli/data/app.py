"""`bench data`: checking videos before a run, sampling or cutting them, decoding them in advance."""

from __future__ import annotations

import csv
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ....datasets.check import ClipStatus
from ....datasets.clip import MIN_FRAMES, Clip
from ....errors import ClipError, UsageError, unknown_name
from ....plain_text import plain_line, spreadsheet_cell
from ....reports.numbers import counted
from ..options import check_ending, check_writable
from .augment_preview import augment_preview
from .compose import compose
from .cut import cut
from .fetch import fetch
from .options import DataArgument, LabelsOption, SeedOption, TimeoutOption, VideosOption, WorkersOption

app = typer.Typer(
    help="Fetch published videos, check that videos decode, sample a subset, compose a labelled set, "
    "cut annotated videos, decode in advance.",
    no_args_is_help=True,
)
app.command("augment-preview")(augment_preview)
app.command("compose")(compose)

MOST_ROWS = 50
"""Most clips that the terminal shows; thousands of videos of a Kinetics list may be missing."""


@app.command()
def check(
    data: DataArgument,
    videos: VideosOption = None,
    labels: LabelsOption = "kinetics-400",
    min_frames: Annotated[
        int, typer.Option(help="Clips with fewer frames count as `too short`.")
    ] = MIN_FRAMES,
    timeout: TimeoutOption = 60.0,
    workers: WorkersOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the table of all clips to this CSV file.")] = None,
) -> None:
    """Decode every video and list those that are missing, broken, too short or duplicated."""
    from tabulate import tabulate

    from ....datasets.check import check_clips
    from ....datasets.sources.registry import load_clips
    from ....models.labels import labels as label_list
    from ...console.progress import Console

    check_writable("--out", out)
    processes = _processes(workers)
    clips = load_clips(data, vocabulary=label_list(labels), videos=videos)
    statuses = []
    with Console().task("checking", len(clips) + len(clips.missing)) as progress:
        for status in check_clips(clips, min_frames=min_frames, timeout_s=timeout, workers=processes):
            statuses.append(status)
            progress.advance(status.clip.id)
    rows = [
        {
            "clip": s.clip.id,
            "state": s.state,
            "frames": s.frames,
            "size": "" if s.size is None else f"{s.size[0]}×{s.size[1]}",
            "rate": "" if s.rate is None else str(s.rate),
            "seconds": "" if s.duration_s is None else f"{s.duration_s:.2f}",
            "remark": "; ".join([*([_reason(s)] if s.reason else []), *s.notes]),
        }
        for s in statuses
    ]
    if out is not None:
        with out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["clip"])
            writer.writeheader()
            writer.writerows({key: spreadsheet_cell(value) for key, value in row.items()} for row in rows)
    odd = [row for row in rows if row["state"] != "ok" or row["remark"]]
    if odd:
        shown = [
            row | {key: plain_line(str(row[key])) for key in ("clip", "remark")} for row in odd[:MOST_ROWS]
        ]
        print(tabulate(shown, headers="keys", maxcolwidths=[40, None, None, None, None, None, 70]))
    if len(odd) > MOST_ROWS:
        where = "with --out FILE" if out is None else f"in {out}"
        print(f"… and {len(odd) - MOST_ROWS} more (all of them {where})")
    counts = Counter(s.state for s in statuses)
    print(
        f"{counted(len(statuses), 'clip')}: " + ", ".join(f"{n} {state}" for state, n in counts.most_common())
    )
    if clips.ignored:
        print(f"ignored: {counted(clips.ignored, 'file')} whose suffix is not of a video or an array")
    if clips.unknown_labels:
        print(plain_line(f"labels outside {labels}, left out of accuracy: {', '.join(clips.unknown_labels)}"))
    if statuses and not counts["ok"]:
        raise ClipError("none of the clips can be used", where=data)


def _processes(workers: int | None) -> int:
    """The value of --workers. Raises UsageError for one that no machine has."""
    from ...plan.environment import check_threads, cores

    if workers is not None:
        check_threads("--workers", workers)
    return workers or cores()


def _reason(status: ClipStatus) -> str:
    """Why the clip cannot be used, without the path, which another column shows."""
    return (status.reason or "").removeprefix(f"{status.clip.path}: ")


@app.command("subset")
def subset_(
    data: DataArgument,
    out: Annotated[Path, typer.Argument(help="Manifest to write: .csv or .jsonl.")],
    videos: VideosOption = None,
    labels: LabelsOption = "kinetics-400",
    per_class: Annotated[int, typer.Option(help="Number of videos per class.")] = 10,
    seed: SeedOption = 0,
    classes: Annotated[str | None, typer.Option(help="Class names, comma-separated; by default all.")] = None,
    min_frames: Annotated[int, typer.Option(help="Videos with fewer frames are left out.")] = MIN_FRAMES,
) -> None:
    """Sample N videos of each class, of those that decode, and write a manifest with their SHA-256."""
    from ....datasets.check import Checker
    from ....datasets.labels import LabelMatcher
    from ....datasets.sources.manifest import SUFFIXES, write_manifest
    from ....datasets.sources.registry import load_clips
    from ....datasets.subset import draw_subset
    from ....models.labels import labels as label_list
    from ...console.progress import Console

    clips = load_clips(data, vocabulary=label_list(labels), videos=videos)
    check_ending("OUT", out, SUFFIXES)
    wanted = None if classes is None else [name.strip() for name in classes.split(",")]
    there = sorted({clip.label for clip in clips if clip.label is not None})
    for name in wanted or ():
        if LabelMatcher(there)(name) is None:
            raise UsageError(str(unknown_name("class", name, there)), where="--classes")
    total = per_class * len(wanted or {clip.label for clip in clips})
    with Console().task("sampling", total) as progress, Checker(min_frames=min_frames) as checker:

        def decodes(clip: Clip) -> bool:
            good = checker.check(clip).state == "ok"
            if good:
                progress.advance(clip.id)
            return good

        subset = draw_subset(clips, per_class=per_class, seed=seed, classes=wanted, decodes=decodes)
    if not subset.clips.clips:
        raise UsageError("no class has a video that decodes", where=data)
    write_manifest(out, subset.clips)
    found = len({clip.label for clip in subset.clips})
    print(f"{out}: {counted(len(subset.clips), 'video')} of {counted(found, 'class', 'classes')}")
    if unknown := subset.clips.unknown_labels:
        names = ", ".join(map(plain_line, unknown))
        print(f"  not in {labels}, so left out of accuracy with such networks: {names}")
    for clip in subset.rejected:
        print(f"  left out, does not decode or is too short: {plain_line(clip.id)}")
    for label, found in subset.shortfalls.items():
        print(f"  {plain_line(label)}: {found} of {per_class}")


@app.command()
def decode(
    data: DataArgument,
    out: Annotated[Path, typer.Argument(help="Folder for the arrays and their manifest, clips.csv.")],
    videos: VideosOption = None,
    labels: LabelsOption = "kinetics-400",
    max_clips: Annotated[
        int | None, typer.Option(help="Number of clips, a seeded random sample; by default all.")
    ] = None,
    seed: SeedOption = 0,
    timeout: TimeoutOption = 600.0,
    workers: WorkersOption = None,
) -> None:
    """Decode clips to NumPy arrays, for machines without a video library; clips that fail are left out.

    All frames of the file are kept, as if evenly spaced in time; 10 s of 340×256 take about 40 MB. Reading
    the arrays takes more CPU time than decoding H.264.
    """
    from ....datasets.decoded import MANIFEST, decode_all
    from ....datasets.sources.registry import load_clips
    from ....models.labels import labels as label_list
    from ...console.progress import Console
    from ...plan.plan import sample

    processes = _processes(workers)
    clips = load_clips(data, vocabulary=label_list(labels), videos=videos).clips
    chosen = sample(clips, max_clips, seed)
    out.mkdir(parents=True, exist_ok=True)
    decoded, failed = 0, []
    with (
        Console().task("decoding", len(chosen)) as progress,
        closing(decode_all(chosen, out, timeout_s=timeout, workers=processes)) as results,
    ):
        for clip, result in zip(chosen, results, strict=True):
            if isinstance(result, ClipError):
                failed.append(f"  left out: {plain_line(str(result))}")
            else:
                decoded += 1
            progress.advance(clip.id)
    print("\n".join(failed), end="\n" if failed else "")
    if not decoded:
        raise ClipError("none of the clips decodes", where=data)
    manifest = out / MANIFEST
    print(f"{manifest}: {counted(decoded, 'clip')}; `bench run --data {manifest}` reads them")


app.command()(cut)
app.command()(fetch)
