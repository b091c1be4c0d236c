"""`bench experiments`: a table of fine-tunings, compared on the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ....operating_point import criterion
from ....training.packages import require_training


def experiments(
    file: Annotated[Path, typer.Argument(help="YAML file of the experiments: docs/experiments.md.")],
    out: Annotated[Path, typer.Option(help="Output folder; interrupted experiments in it are continued.")],
    favour: Annotated[
        str | None, typer.Option(help="Choose operating points for precision, recall or f1 (the default).")
    ] = None,
    cost_miss: Annotated[
        float | None, typer.Option(help="Choose them for the lowest cost: cost of a miss, in any unit.")
    ] = None,
    cost_false_alarm: Annotated[
        float | None, typer.Option(help="Cost of a false alarm, in the same unit.")
    ] = None,
) -> None:
    """Train every run of a file on each fold and with each seed, and compare them pair by pair."""
    require_training()
    chosen = criterion(favour, cost_miss, cost_false_alarm) or "f1"
    # What trains is imported when the options are known to make sense: that takes seconds.
    from ...console.progress import Console
    from ...experiments import compare_experiments

    path = compare_experiments(file, out, chosen, Console())
    print(f"evaluation: {path}")
