"""`bench operating-point`: when the class that matters is predicted, chosen or changed after the training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ....errors import UsageError
from ....operating_point import criterion
from ....plain_text import plain_line


def operating_point(
    folder: Annotated[Path, typer.Argument(help="Result of `bench finetune`.")],
    target: Annotated[
        str | None, typer.Option(help="Class of the operating point; without it, show the one there is.")
    ] = None,
    favour: Annotated[
        str | None, typer.Option(help="Choose it for precision, recall or f1 (the default).")
    ] = None,
    cost_miss: Annotated[
        float | None, typer.Option(help="Choose it for the lowest cost: cost of a miss, in any unit.")
    ] = None,
    cost_false_alarm: Annotated[
        float | None, typer.Option(help="Cost of a false alarm, in the same unit.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Take this probability (0–1) instead of choosing one.")
    ] = None,
) -> None:
    """Set the operating point of a fine-tuned network, chosen on its validation predictions.

    `bench predict`, `bench run` and `bench evaluate` then show its decisions beside the most probable class.
    """
    chosen = criterion(favour, cost_miss, cost_false_alarm)
    if threshold is not None and chosen is not None:
        raise UsageError("leaves nothing to choose", where="--threshold", remedy="Leave the other out.")
    if target is None and (threshold is not None or chosen is not None):
        raise UsageError("no class is named", where="--target", remedy="Name it: --target CLASS.")
    from ...operating_point import finetuned_in, set_operating_point

    if target is not None:
        set_operating_point(folder, target, threshold if threshold is not None else chosen or "f1")
    if finetuned_in(folder).operating_point is None:
        print(f"{plain_line(str(folder))}: no operating point; --target CLASS chooses one")
    else:
        print_operating_point(folder)


def print_operating_point(folder: Path) -> None:
    """Print the operating point in `folder`, and what it gives on examples that were not trained on."""
    from tabulate import tabulate

    from ...operating_point import figures, finetuned_in

    point, shown = finetuned_in(folder).operating_point, figures(folder)
    headers = ["Side", *(column.title for column in shown.columns[1:])]
    print(tabulate(shown.rows, headers=headers, disable_numparse=True))
    print(point)
    if point is not None and point.examples:
        print("It was chosen on the validation examples, on which it looks better than it is.")
