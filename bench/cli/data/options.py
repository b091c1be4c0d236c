"""Arguments and options that several commands of `bench data` have, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataArgument = Annotated[
    str,
    typer.Argument(
        help="`demo`, a folder of `class/video` files, a manifest (.csv, .jsonl) or a Kinetics CSV."
    ),
]
VideosOption = Annotated[
    Path | None, typer.Option(help="Folder with the videos that a Kinetics CSV or a list of segments names.")
]
LabelsOption = Annotated[
    str, typer.Option(help="List of class names that labels are matched to: a name or a text file.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of every random choice.")]
TimeoutOption = Annotated[float, typer.Option(help="Maximum seconds for decoding one clip.")]
WorkersOption = Annotated[int | None, typer.Option(help="Number of processes; by default one per core.")]
