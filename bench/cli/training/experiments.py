"""`bench experiments`: a table of fine-tunings, compared on the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from ....errors import UsageError, unknown_name
from .finetune import require_packages


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
    require_packages()
    from ....reports.evaluation.operating_point import Costs, Favour

    chosen: Favour | Costs = "f1"
    if cost_miss is not None and cost_false_alarm is not None:
        chosen = Costs(cost_miss, cost_false_alarm)
    elif cost_miss is not None or cost_false_alarm is not None:
        raise UsageError(
            "one cost alone decides nothing", where="--cost-miss, --cost-false-alarm", remedy="Give both."
        )
    if favour is not None:
        if isinstance(chosen, Costs):
            raise UsageError("cannot be given beside costs", where="--favour", found=favour)
        if favour not in get_args(Favour):
            raise unknown_name("value of --favour", favour, get_args(Favour))
        chosen = favour  # type: ignore[assignment]  # checked above
    # What trains is imported when the options are known to make sense: that takes seconds.
    from ...console.progress import Console
    from ...experiments import compare_experiments

    path = compare_experiments(file, out, chosen, Console())
    print(f"evaluation: {path}")
