"""`bench experiments`: a table of fine-tunings, compared on the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from ....errors import unknown_name
from .finetune import require_packages


def experiments(
    file: Annotated[Path, typer.Argument(help="YAML file of the experiments: docs/fine-tuning.md.")],
    out: Annotated[Path, typer.Option(help="Folder; what was begun there is gone on with.")],
    favour: Annotated[
        str, typer.Option(help="What operating points are chosen for: precision, recall or f1.")
    ] = "f1",
) -> None:
    """Train every run of a file on each fold and with each seed, and compare them pair by pair."""
    require_packages()
    from ....reports.evaluation.operating_point import Favour
    from ...console.progress import Console
    from ...experiments import compare_experiments

    if favour not in get_args(Favour):
        raise unknown_name("value of --favour", favour, get_args(Favour))
    path = compare_experiments(file, out, favour, Console())  # type: ignore[arg-type]  # checked above
    print(f"evaluation: {path}")
