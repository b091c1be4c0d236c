"""The networks with a name: what is published of each, and what of it is here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ActionBenchError
from ..licences import is_non_commercial
from ..models.capabilities import absent, missing_packages, offer
from ..models.families.registry import FAMILIES, family_names, family_packages
from ..models.labels import labels as label_list
from ..models.registry import SETS, find_model, model_names
from ..models.spec import Model, Weights, WeightsDescription
from ..models.weights import stored_weights
from .plan.views import views_in_words


@dataclass(frozen=True, slots=True)
class ListedWeights:
    """Published weights of one stream of a network.

    - `name`, `stream`, `licence`: of their description. `non_commercial`: whether the licence's text says so.
    - `stored`: whether they have been fetched.
    - `accuracy`: that is reported, and on which data, as text; empty if none.
    - `top1`, `top5`: the same in percent, None where they are not known.
    - `views`: the protocol of that accuracy, in words.
    - `source`: of the accuracy; of the weights where none is known.
    """

    name: str
    stream: str
    licence: str
    non_commercial: bool
    stored: bool
    accuracy: str
    top1: float | None
    top5: float | None
    views: str
    source: str


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A network that can be named.

    - `name`, `title`, `paper`, `streams`: of the model.
    - `backends`: backend → the packages that it lacks here; the first backend is the default.
    - `parameters`: of all streams; None if unknown.
    - `gflops`: 2 × multiply–accumulates in units of 10⁹; None if unknown. `gflops_of`: what they are counted
      on, in words.
    - `weights`: the published ones of each stream: those that a run takes first, then their alternatives.
    """

    name: str
    title: str
    paper: str
    streams: tuple[str, ...]
    backends: dict[str, tuple[str, ...]]
    parameters: int | None
    gflops: float | None
    gflops_of: str
    weights: tuple[ListedWeights, ...]

    @property
    def used(self) -> tuple[ListedWeights, ...]:
        """The weights of each stream that a run takes: the first stored ones, else those to be fetched."""
        of_streams = [[each for each in self.weights if each.stream == stream] for stream in self.streams]
        return tuple(next((each for each in found if each.stored), found[0]) for found in of_streams)


@dataclass(frozen=True, slots=True)
class ListedFamily:
    """Networks that are named by a prefix.

    - `forms`: how one is named. `lacks`: package that all of them need and that is not here → how it is
      installed.
    """

    forms: tuple[str, ...]
    lacks: dict[str, str]


@dataclass(frozen=True, slots=True)
class ModelList:
    """What `bench models` lists of networks.

    - `models`: networks with a name. `broken`: name → why it cannot be described.
    - `families`: networks that are named by a prefix.
    - `sets`: set ("@realtime") → its models.
    """

    models: tuple[ListedModel, ...]
    broken: dict[str, str]
    families: dict[str, ListedFamily]
    sets: dict[str, tuple[str, ...]]


def model_list() -> ModelList:
    """All networks with a name: ours, those of installed packages, and of families with a fixed list."""
    models, broken = [], {}
    for name in (*model_names(), *(name for family in FAMILIES for name in family_names(family))):
        try:
            models.append(_listed(name, find_model(name).model))
        except ActionBenchError as error:
            broken[name] = str(error)
    return ModelList(tuple(models), broken, listed_families(), {f"@{name}": SETS[name] for name in SETS})


def listed_families() -> dict[str, ListedFamily]:
    """Family → how its networks are named, and what they lack in this interpreter; nothing is imported."""
    listed = {}
    for name, family in FAMILIES.items():
        packages = family_packages(name)
        listed[name] = ListedFamily(family.forms, {each: packages[each] for each in absent(packages)})
    return listed


def _listed(name: str, model: Model) -> ListedModel:
    gflops, gflops_of = _gflops(model)
    return ListedModel(
        name=name,
        title=model.title,
        paper=model.paper,
        streams=tuple(model.streams),
        backends={backend: missing_packages(offer(model, backend)) for backend in model.backends},
        parameters=_parameters(model),
        gflops=gflops,
        gflops_of=gflops_of,
        weights=tuple(_weights(model)),
    )


def _weights(model: Model) -> Iterator[ListedWeights]:
    for stream, first in model.streams.items():
        for each in (first, *model.alternatives.get(stream, ())):
            figures = each.figures
            yield ListedWeights(
                name=each.name,
                stream=stream,
                licence=each.licence,
                non_commercial=is_non_commercial(each.licence),
                stored=stored_weights(each) is not None,
                accuracy=each.reported_accuracy,
                top1=None if figures is None else figures.top1,
                top5=None if figures is None else figures.top5,
                views=views_in_words(each.views, None, {stream: Weights("published", each)}),
                source=each.source if figures is None else figures.source,
            )


def _parameters(model: Model) -> int | None:
    """As published, else as the model counts them."""
    published = [each.figures and each.figures.parameters for each in model.streams.values()]
    if all(published):
        return sum(count for count in published if count)
    if model.parameters is None:
        return None
    return sum(model.parameters(stream, _classes(each)) for stream, each in model.streams.items())


def _gflops(model: Model) -> tuple[float | None, str]:
    """2 × what is published, else as the model counts them on a single view; what of, in words."""
    (first, *others) = model.streams.values()
    if not others and first.figures is not None and first.figures.gmacs is not None:
        return 2 * first.figures.gmacs, first.figures.gmacs_of
    if model.macs is None:
        return None, ""
    views = first.views
    frames = views.single_frames if views.window is None else views.window
    crops = {stream: each.preprocessing.crop for stream, each in model.streams.items()}
    shapes = {stream: (frames, crop, crop) for stream, crop in crops.items()}
    counted = model.macs(shapes, _classes(first))
    if counted is None:
        return None, ""
    side = crops[first.stream]
    return 2 * counted / 1e9, f"one view of {frames} frames, {side}×{side}"


def _classes(description: WeightsDescription) -> int:
    return len(label_list(description.labels))
