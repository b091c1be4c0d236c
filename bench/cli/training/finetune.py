"""`bench finetune`: train a network for the classes of a composed set."""

from __future__ import annotations

from operator import itemgetter
from pathlib import Path
from typing import Annotated

import typer

from ....errors import UsageError
from ....settings import from_mapping, read_config
from ....training.config import SETTINGS, FinetuneConfig
from ....training.packages import require_training
from ..settings import given_settings, with_settings
from .operating_point import print_operating_point

_WITH_RESUME = ("devices", "nodes")
"""Settings that change the result by rounding at most."""


@with_settings(of=SETTINGS)
def finetune(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with any of these as `name: value`; options override it.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the training in this folder.")] = None,
) -> None:
    """Train a network for the classes of a composed set; the result is a network for `bench run`."""
    given = given_settings(context, SETTINGS)
    others = [name for name in given if name not in _WITH_RESUME]
    if resume is not None and (others or config is not None):
        raise UsageError(
            "takes no other option but --devices and --nodes: the training goes on as it began",
            where="--resume",
            found=", ".join(SETTINGS[name].option for name in others) or "--config",
        )
    require_training()
    from ....training import finetune as training
    from ....training.ranks.group import shows_results
    from ...console.progress import Console

    if resume is not None:
        folder = training.resume(resume, Console(), **given)
    else:
        values = {} if config is None else read_config(config)
        settings = from_mapping(FinetuneConfig, values | given, str(config or "command line"))
        folder = training.finetune(settings, Console())
    if shows_results():
        _show(folder)


def _show(folder: Path) -> None:
    """Print how well the network or baseline in `folder` did on the examples that it was not trained on."""
    from tabulate import tabulate

    from ....models.finetuning.finetuned import is_finetuned, read_description
    from ....records.training import read_predictions

    predictions = read_predictions(folder)
    rows = []
    for side in ("validation", "test"):
        on_side = [each for each in predictions if each.side == side]
        truth = [each.label for each in on_side]
        answers = [max(each.log_probabilities.items(), key=itemgetter(1))[0] for each in on_side]
        for label in dict.fromkeys(name for each in on_side for name in each.log_probabilities):
            hits = sum(t == a == label for t, a in zip(truth, answers, strict=True))
            there, said = truth.count(label), answers.count(label)
            rows.append([side, label, there, _share(hits, there), _share(hits, said)])
    print(tabulate(rows, headers=["side", "class", "clips", "recall", "precision"]))
    if is_finetuned(folder) and read_description(folder).operating_point is not None:
        print_operating_point(folder)
    print(f"{'network' if is_finetuned(folder) else 'baseline'}: {folder}")


def _share(hits: int, of: int) -> str:
    return f"{hits / of:.3f} ({hits}/{of})" if of else "–"
