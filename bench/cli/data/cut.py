"""`bench data cut`: from annotations of whole videos to labelled clips."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....datasets.clip import MIN_FRAMES, Clip
from ....errors import ClipError, UsageError, unknown_name
from ....plain_text import plain_line
from ....reports.numbers import counted
from ..options import check_ending, check_writable
from .options import TimeoutOption

if TYPE_CHECKING:
    from ....datasets.annotations.cutting import Cut, Refused
    from ....datasets.annotations.tags import TaggedVideo


MANIFEST = "clips.csv"
"""Of clips that are files, beside them."""


class OutputKind(StrEnum):
    """What a clip becomes: an entry of a manifest with its start and end, or a file of its own."""

    MANIFEST = "manifest"
    FILES = "files"


def cut(
    annotations: Annotated[
        Path,
        typer.Argument(help="VoTT file (.vott, .json, .csv), or folder of a project or JSON files."),
    ],
    videos: Annotated[
        Path | None, typer.Option(help="Folder of the videos; the annotations' own by default.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Manifest (.csv, .jsonl) or, for files, folder to write; without it, clips are only listed."
        ),
    ] = None,
    kind: Annotated[
        OutputKind, typer.Option("--as", help="manifest: entries with start and end; files: lossless videos.")
    ] = OutputKind.MANIFEST,
    rate: Annotated[
        str | None, typer.Option(help="Frame extraction rate, where annotations do not record it (CSV).")
    ] = None,
    end_tag: Annotated[
        str | None,
        typer.Option(help="Tag that marks an action's last frame; the first frame has the label."),
    ] = None,
    max_gap: Annotated[int, typer.Option(help="Maximum sampling steps between two samples of a run.")] = 1,
    min_frames: Annotated[int, typer.Option(help="Minimum frames of a clip.")] = MIN_FRAMES,
    timeout: TimeoutOption = 600.0,
) -> None:
    """List the clips defined by annotations and the tags that are refused; with --out, cut them."""
    from ....datasets.annotations.cutting import FrameTimes, find_cuts
    from ....datasets.annotations.intervals import start_end_tags, tag_runs
    from ....datasets.annotations.reading import read_annotations
    from ....datasets.annotations.tags import positive
    from ....datasets.decoder_pool import DecoderPool
    from ....datasets.sources.manifest import SUFFIXES, write_manifest
    from ...console.progress import Console

    for option, value in (("--max-gap", max_gap), ("--min-frames", min_frames)):
        if value < 1:
            raise UsageError("is less than 1", where=f"{option} {value}")
    if out is not None and kind is OutputKind.FILES and out.exists() and not out.is_dir():
        raise UsageError("is not a folder", where=f"--out {out}")
    if out is not None and kind is OutputKind.MANIFEST:
        check_ending("--out", out, SUFFIXES)
        check_writable("--out", out)
    tagged = read_annotations(annotations, videos, None if rate is None else positive(rate, "--rate"))
    names = {label for video in tagged for tag in video.tags for label in tag.labels}
    if end_tag is not None and end_tag not in names:
        raise UsageError(str(unknown_name("tag", end_tag, names)), where="--end-tag")
    cuts: list[Cut] = []
    refused: list[Refused] = []
    with Console().task("decoding", len(tagged)) as progress, DecoderPool(timeout_s=timeout) as pool:

        def times_of(clip: Clip) -> FrameTimes:
            return pool.ask("frame times", clip, FrameTimes)

        for video in tagged:
            if end_tag is None:
                inference = tag_runs(video.tags, video.rate, max_gap)
            else:
                inference = start_end_tags(video.tags, end_tag)
            found, dropped = find_cuts(video, inference, min_frames, times_of)
            cuts += found
            refused += dropped
            progress.advance(video.name)
    print(_rule(tagged, end_tag, max_gap, min_frames))
    _print_list(cuts, refused)
    if not cuts:
        raise ClipError("no clip can be cut", where=annotations)
    if out is None:
        print("nothing was written: use --out to write")
        return
    if kind is OutputKind.FILES:
        clips, manifest = _write_files(cuts, out), out / MANIFEST
    else:
        clips, manifest = [cut.clip for cut in cuts], out
        write_manifest(manifest, clips)
    print(f"{manifest}: {counted(len(clips), 'clip')}; `bench run --data {manifest}` reads them")


def _write_files(cuts: Sequence[Cut], out: Path) -> list[Clip]:
    """A file for each clip, and their manifest, which is written also when this is interrupted."""
    from ....datasets.annotations.cutting import write_clip
    from ....datasets.sources.manifest import write_manifest
    from ...console.progress import Console

    written: list[Clip] = []
    try:
        with Console().task("cutting", len(cuts)) as progress:
            for number, cut in enumerate(cuts):
                try:
                    # Numbered, because labels and names come from data and may be no names of files.
                    written.append(write_clip(cut, out / f"{number:05}.mp4"))
                except ClipError as error:
                    print(f"  left out: {plain_line(str(error))}")
                progress.advance(cut.clip.id)
    finally:
        if written:
            write_manifest(out / MANIFEST, written)
    if not written:
        raise ClipError("none of the clips could be cut", where=out)
    return written


def _rule(tagged: Sequence[TaggedVideo], end_tag: str | None, max_gap: int, min_frames: int) -> str:
    """The rule that intervals were inferred by, in words."""
    if end_tag is not None:
        words = f"from a first frame, tagged with a label, to a last frame, tagged '{plain_line(end_tag)}'"
    else:
        words = (
            "the same tag at consecutive visited samples, "
            f"at most {counted(max_gap, 'sampling step')} apart, with half a step on both sides"
        )
        if all(tag.labels for video in tagged for tag in video.tags):
            words += " (no sample is recorded as visited without a tag: only gaps and other tags end a run)"
    return f"rule: {words}; at least {counted(min_frames, 'frame')}"


def _print_list(cuts: Sequence[Cut], refused: Sequence[Refused]) -> None:
    from tabulate import tabulate

    print(f"\n{counted(len(cuts), 'clip')}")
    if cuts:
        clips = [(plain_line(c.clip.id), plain_line(str(c.clip.label)), c.frames) for c in cuts]
        print(
            tabulate(
                clips, headers=["clip (file#t=start,end)", "label", "frames"], maxcolwidths=[80, 30, None]
            )
        )
    print(f"\n{counted(len(refused), 'refusal')}")
    if refused:
        tags = [
            (
                plain_line(r.video),
                plain_line(r.label),
                f"{r.start_s:.3f}",
                f"{r.end_s:.3f}",
                plain_line(r.reason),
            )
            for r in refused
        ]
        headers = ["video", "label", "from (s)", "to (s)", "reason"]
        print(tabulate(tags, headers=headers, maxcolwidths=[60, 30, None, None, 60]))
    print()
