"""`bench data fetch`: videos out of the archives of a published set, kept in a folder or handed to a run."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ....datasets.archives.sets.archive_set import set_names
from ....datasets.archives.sets.request import SETTINGS, FetchRequest, from_mapping
from ....errors import ClipError, UsageError
from ..settings import given_settings, with_settings


class Keep(StrEnum):
    """Whether a video is stored in a folder, or deleted after a run has predicted it."""

    VIDEOS = "videos"
    NONE = "none"


@with_settings(*(name for name in SETTINGS if name != "archives"), of=SETTINGS)
def fetch(
    context: typer.Context,
    archives: Annotated[
        str,
        typer.Argument(
            metavar="SET", help=f"Archive set: {', '.join(set_names())}, or a YAML file of your own."
        ),
    ],
    run_options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- OPTIONS]",
            help="With --keep none: options of `bench run`, such as `-- --models A,B`.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the videos; by default SET-SPLIT. For --keep none: after `--`."),
    ] = None,
    keep: Annotated[
        Keep,
        typer.Option(help="videos: store them in a folder; none: pass each to a run, then delete it."),
    ] = Keep.VIDEOS,
) -> None:
    """Read the archives of a published set as streams and take the videos that are wanted.

    Nothing else is stored. The same command continues after an interruption; for `--keep none`, `bench run
    --resume RUN` does.
    """
    given = given_settings(context, of=SETTINGS)
    request = from_mapping({"archives": archives, **given}, "command line").resolved()
    if keep is Keep.NONE:
        if out is not None:
            raise UsageError(
                "is for videos that are kept", where="--out", remedy="Give it behind `--`: -- --out RUN"
            )
        _run(request, run_options or [])
        return
    if run_options:
        raise UsageError(
            "takes no options of a run",
            where="bench data fetch --keep videos",
            found=" ".join(run_options),
            remedy="--keep none hands the videos to a run.",
        )
    if "spool" in given:
        raise UsageError("is for --keep none: videos that are kept pass through no spool", where="--spool")
    _keep(request, out or Path(f"{Path(archives).stem}-{request.split}"))


def _run(request: FetchRequest, options: list[str]) -> None:
    from ...console.progress import Console
    from ...plan.config import DEFAULTS
    from ...runner import start_run
    from ..app import run_settings, show_run

    config = run_settings(options)
    for name in ("data", "videos", "max_clips"):
        if getattr(config, name) != getattr(DEFAULTS, name):
            raise UsageError(
                "cannot be given: the videos come out of the archives",
                where="--" + name.replace("_", "-"),
                remedy="--per-class and --classes, before `--`, choose the videos.",
            )
    config = replace(config, data=f"archives:{Path(request.archives).stem}")
    show_run(start_run(config, Console(), request=request))


def _keep(request: FetchRequest, folder: Path) -> None:
    from ....datasets.archives.sets.delivery import Delivery
    from ....datasets.archives.sets.folder import MANIFEST, VideoFolder
    from ....datasets.archives.sets.ledger import LEDGER, Ledger
    from ....datasets.archives.sets.parts import Reading
    from ....datasets.archives.sets.split import open_split
    from ....datasets.archives.sets.summary import RECORD, summarise, write_record
    from ....records.lock import FolderLock
    from ...console.progress import Console, transfer

    if (folder / MANIFEST).exists() and not (folder / LEDGER).exists():
        raise UsageError(
            "exists, and no fetch has written it", where=folder / MANIFEST, remedy="Choose another --out."
        )
    console, reading = Console(), Reading(request.limit_rate)
    remedy = "Wait for its end, or choose another --out."
    try:
        with transfer(Path(request.archives).stem) as progress:
            reading.watch(progress)
            split = open_split(request, reading, console.say)
            with FolderLock(folder, "another process fetches into this folder", remedy=remedy):
                ledger = Ledger(folder / LEDGER)
                videos = VideoFolder(folder, split.selection, ledger)
                with Delivery(split, ledger, videos) as delivery:
                    delivery.run(console.say)
                unusable = delivery.unusable()
                summary = summarise(split, unusable)
                write_record(folder / RECORD, split, summary)
                for line in summary.lines(folder / RECORD):
                    print(line)
                if not sum(summary.videos.values()):
                    raise ClipError("none of the videos is available", where=split.name)
                manifest = videos.write_manifest(split.selection, unusable)
    except KeyboardInterrupt:
        console.say("interrupted; the same command continues")
        raise
    print(f"{manifest}: `bench run --data {manifest}` reads them")
