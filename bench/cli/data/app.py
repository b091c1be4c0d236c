"""`bench data`: looking at videos before a run, drawing the subset that it is about, decoding them ahead."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from ....datasets.check import ClipStatus
from ....datasets.clip import Clip
from ....errors import ClipError, UsageError, unknown_name
from ....plain_text import plain_line, spreadsheet_cell
from ..options import check_writable, counted
from .augment_preview import augment_preview
from .compose import compose

app = typer.Typer(
    help="Videos: check that they decode, draw a subset, decode them ahead, compose a set.",
    no_args_is_help=True,
)
app.command("compose")(compose)
app.command("augment-preview")(augment_preview)

DataArgument = Annotated[str, typer.Argument(help="`demo`, a folder, a manifest, a Kinetics CSV.")]
VideosOption = Annotated[
    Path | None, typer.Option(help="Folder of the videos of a Kinetics CSV or a list of segments.")
]
MOST_ROWS = 50
"""Clips that the terminal is shown; a Kinetics list lacks thousands of videos."""

LabelsOption = Annotated[str, typer.Option(help="Class list that labels are matched to.")]


@app.command()
def check(
    data: DataArgument,
    videos: VideosOption = None,
    labels: LabelsOption = "kinetics-400",
    min_frames: Annotated[int, typer.Option(help="Clips with fewer frames are `too short`.")] = 16,
    timeout: Annotated[float, typer.Option(help="Seconds until a clip's decoding is given up.")] = 60.0,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the whole table to this CSV.")] = None,
) -> None:
    """Decode every video; table what is missing, broken, too short or duplicated."""
    from tabulate import tabulate

    from ....datasets.check import check_clips
    from ....datasets.sources.registry import load_clips
    from ....models.labels import labels as label_list
    from ...console.progress import Console
    from ...plan.environment import check_threads, cores

    check_writable("--out", out)
    if workers is not None:
        check_threads("--workers", workers)
    clips = load_clips(data, vocabulary=label_list(labels), videos=videos)
    statuses = []
    with Console().task("checking", len(clips) + len(clips.missing)) as progress:
        for status in check_clips(
            clips, min_frames=min_frames, timeout_s=timeout, workers=workers or cores()
        ):
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
        print(f"{counted(clips.ignored, 'other file')}, no video or array by the name, ignored")
    if clips.unknown_labels:
        print(plain_line(f"labels outside {labels}, left out of accuracy: {', '.join(clips.unknown_labels)}"))
    if statuses and not counts["ok"]:
        raise ClipError("none of the clips can be used", where=data)


def _reason(status: ClipStatus) -> str:
    """Why the clip cannot be used; the file need not be named again beside it."""
    return (status.reason or "").removeprefix(f"{status.clip.path}: ")


@app.command("subset")
def subset_(
    data: DataArgument,
    out: Annotated[Path, typer.Argument(help="Manifest to write, .csv or .jsonl.")],
    videos: VideosOption = None,
    labels: LabelsOption = "kinetics-400",
    per_class: Annotated[int, typer.Option(help="Videos of each class.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the drawing.")] = 0,
    classes: Annotated[str | None, typer.Option(help="Comma-separated; all by default.")] = None,
    min_frames: Annotated[int, typer.Option(help="Fewest frames of a video that counts.")] = 16,
) -> None:
    """Draw N videos of each class, among those that decode, and write them as a manifest with sha256."""
    from ....datasets.check import Checker
    from ....datasets.labels import LabelMatcher
    from ....datasets.sources.manifest import write_manifest
    from ....datasets.sources.registry import load_clips
    from ....datasets.subset import draw_subset
    from ....models.labels import labels as label_list
    from ...console.progress import Console

    clips = load_clips(data, vocabulary=label_list(labels), videos=videos)
    if out.suffix.lower() not in (".csv", ".jsonl"):
        raise UsageError("has an ending that is not known", where=out, expected=".csv or .jsonl")
    wanted = None if classes is None else [name.strip() for name in classes.split(",")]
    there = sorted({clip.label for clip in clips if clip.label is not None})
    for name in wanted or ():
        if LabelMatcher(there)(name) is None:
            raise UsageError(str(unknown_name("class", name, there)), where="--classes")
    total = per_class * len(wanted or {clip.label for clip in clips})
    with Console().task("drawing", total) as progress, Checker(min_frames=min_frames) as checker:

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
    out: Annotated[Path, typer.Argument(help="Folder to write arrays and their manifest, clips.csv, in.")],
    videos: VideosOption = None,
    labels: LabelsOption = "kinetics-400",
    max_clips: Annotated[int | None, typer.Option(help="So many of them, drawn; all by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the drawing.")] = 0,
) -> None:
    """Decode clips to NumPy arrays, for machines without a video library; what does not decode is left out.

    The frames are the file's own, taken to be evenly spaced; 10 s of 340×256 are about 40 MB. Reading them
    takes more CPU time than decoding H.264.
    """
    from dataclasses import replace

    from ....datasets.sources.arrays import write_frames
    from ....datasets.sources.manifest import write_manifest
    from ....datasets.sources.registry import load_clips
    from ....datasets.video.reader import read_frames
    from ....models.labels import labels as label_list
    from ...console.progress import Console
    from ...plan.plan import sample

    clips = load_clips(data, vocabulary=label_list(labels), videos=videos).clips
    chosen = sample(clips, max_clips, seed)
    out.mkdir(parents=True, exist_ok=True)
    decoded, failed = [], []
    manifest = out / "clips.csv"
    try:
        with Console().task("decoding", len(chosen)) as progress:
            for number, clip in enumerate(chosen):
                try:
                    # Numbered, because ids and labels come from data and may be no names of files.
                    path = out / f"{number:05}.npz"
                    with read_frames(clip) as reader:
                        write_frames(path, reader, reader.rate)
                    decoded.append(replace(clip, path=path, start_s=None, end_s=None, sha256=None))
                except ClipError as error:
                    failed.append(f"  left out: {plain_line(str(error))}")
                progress.advance(clip.id)
    finally:
        if decoded:  # also what an interrupt leaves can be read
            write_manifest(manifest, decoded)
    print("\n".join(failed), end="\n" if failed else "")
    if not decoded:
        raise ClipError("none of the clips decodes", where=data)
    print(f"{manifest}: {counted(len(decoded), 'clip')}; `bench run --data {manifest}` reads them")
