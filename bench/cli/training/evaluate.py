"""`bench evaluate`: how good networks are on a labelled set whose examples come in groups."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ....errors import UsageError
from ....models.registry import MODEL_IN_WORDS, SETS_IN_WORDS
from ...plan.config import from_mapping
from ..settings import given_settings, with_settings


@with_settings("weights", "device", "threads", "views", "flow", "people", "clip_timeout")
def evaluate(
    context: typer.Context,
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help=f"Networks: {MODEL_IN_WORDS}; {SETS_IN_WORDS}.")
    ],
    examples: Annotated[Path, typer.Option("--data", help="A composed set (`bench data compose`).")],
    label: Annotated[
        str, typer.Option("--target", help="Label whose sensitivity and specificity are reported.")
    ],
    folder: Annotated[
        Path, typer.Option("--out", help="Output folder; an interrupted evaluation in it is continued.")
    ],
    mapping: Annotated[
        Path | None,
        typer.Option(help="YAML, `label: [class, …]`: the networks' classes that stand for each label."),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option(
            help="Also predict the first part of each example, e.g. 0.25,0.5 (time to recognition)."
        ),
    ] = None,
) -> None:
    """Precision, recall, F1 and confusion of networks on a labelled set, with intervals over its groups.

    With --mapping, networks with other classes can be evaluated.
    """
    from ....datasets.composed.class_mapping import read_mapping
    from ....datasets.composed.manifest import read_composed
    from ....reports.evaluation.document import write_evaluation
    from ...console.progress import Console
    from ...evaluation.evaluate import EvaluationSettings, evaluate_models

    config = from_mapping({"models": models, **given_settings(context)}, "command line")
    settings = EvaluationSettings(
        label, None if mapping is None else read_mapping(mapping), () if shares is None else _shares(shares)
    )
    contents = evaluate_models(config, read_composed(examples), settings, folder, Console())
    print(f"evaluation: {write_evaluation(contents, folder)}")


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = (math.nan,)
    if not all(math.isfinite(share) for share in shares):
        raise UsageError("is not a list of shares", where="--shares", expected="e.g. 0.25,0.5", found=text)
    return shares
