"""The network of `tiny.py`, which is always right on videos of one colour, with reported accuracies."""

from dataclasses import replace

from tiny import WEIGHTS, tiny

from actionbench.models.spec import PublishedFigures

FIGURES = PublishedFigures(90.0, None, "Kinetics-400 validation set", "a page")


def reported(name, **changes):
    return replace(tiny(), name=name, streams={"rgb": replace(WEIGHTS, **changes)})


def reached():
    return reported("reached", figures=FIGURES)


def missed():
    return reported("missed", figures=replace(FIGURES, top1=50.0))


def in_words():
    return reported("in_words", accuracy="78.4 mean of top-1 and top-5")


def two_streams():
    described = replace(WEIGHTS, figures=FIGURES)
    return replace(
        tiny(), name="two_streams", streams={"rgb": described, "flow": replace(described, stream="flow")}
    )
