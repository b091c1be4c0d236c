"""A network that was trained here, as a folder: its weights, and what they are.

`model.json` describes it, `weights.safetensors` has the tensors, `labels.txt` the classes for people. The
folder is data: it names a network that ActionBench or an installed package has, and nothing in it is
executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...atomic import replacing
from ...errors import UsageError, WeightsError
from ...operating_point import OperatingPoint
from ...parsing import parse_fraction, parse_json
from ...typed_values import typed
from ..detectors.registry import ChosenDetector, chosen_file, detector_digest
from ..spec import Model, Preprocessing, Views, Weights, WeightsDescription

DESCRIPTION, WEIGHTS, LABELS = "model.json", "weights.safetensors", "labels.txt"

BASELINE = "baseline.json"
"""Describes what was fitted in place of a network; its folder holds predictions alone."""

PEOPLE = "people.onnx"
"""The detector of persons that it was trained with, where that is a file."""

SCHEMA = 1
"""Version of the description."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What a folder says of its network; `model.json` holds these fields.

    - `base`: the network as it is named on the command line, or FILE.py:FACTORY.
    - `stream`: of the network. `preprocessing`: of its pixels.
    - `window`: frames of a view. `views`: windows of a clip that it was evaluated with.
    - `labels`: the classes, in the order of the outputs. `sha256`: of `weights.safetensors`.
    - `began_with`: what the training began with: "name", "sha256", "licence", "source"; empty from scratch.
    - `licences`: source of the training data → its licence.
    - `training`: how it was trained, plain values for people.
    - `operating_point`: of one of the classes; None until one is chosen.
    - `people`: the detector by which the main person was found in its clips: "detector", and "engine" and
      "sha256" of one in a file, which is then PEOPLE in the folder; None: it was trained on whole frames.
    """

    base: str
    stream: str
    preprocessing: Preprocessing
    window: int
    views: int
    labels: tuple[str, ...]
    sha256: str
    began_with: Mapping[str, str]
    licences: Mapping[str, str]
    training: Mapping[str, Any] = field(default_factory=dict)
    operating_point: OperatingPoint | None = None
    people: Mapping[str, str] | None = None


def is_finetuned(path: Path) -> bool:
    """Whether `path` is the folder of a network that was trained here."""
    return (path / DESCRIPTION).is_file()


def write_description(folder: Path, network: Finetuned) -> None:
    """Write `model.json` and `labels.txt`, each whole or not at all. Raises OSError."""
    plain = {"schema": SCHEMA, **asdict(network)}
    rate = network.preprocessing.rate
    plain["preprocessing"]["rate"] = None if rate is None else str(rate)
    with replacing(folder / LABELS) as file:
        file.write("".join(f"{label}\n" for label in network.labels).encode())
    with replacing(folder / DESCRIPTION) as file:
        file.write(json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n")


def read_description(folder: Path) -> Finetuned:
    """What `model.json` says. Raises WeightsError, naming the file, for what is not as it was written."""
    path = folder / DESCRIPTION
    try:
        raw = parse_json(path.read_bytes())
        if raw["schema"] != SCHEMA:
            raise ValueError(f"schema {raw['schema']}; this version of ActionBench reads {SCHEMA}")
        return _network(raw)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", where=path) from error
    except (ValueError, TypeError, LookupError, AttributeError, UsageError) as error:
        raise WeightsError(
            "does not describe a network that was trained here",
            where=path,
            found=f"{type(error).__name__}: {error}",
            remedy="Copy the folder again, or train it again with its config.yaml.",
        ) from error


def _network(raw: Mapping[str, Any]) -> Finetuned:
    # Descriptions from before there were detectors have no `people`.
    given = {"people": None, **raw}
    given = {each.name: given[each.name] for each in fields(Finetuned)}
    for name, kind in (("base", str), ("stream", str), ("sha256", str), ("window", int), ("views", int)):
        if not isinstance(given[name], kind) or isinstance(given[name], bool):
            raise TypeError(f"{name} is {given[name]!r}")
    if given["window"] < 1 or given["views"] < 1:
        raise ValueError("window and views must be positive")
    labels = given["labels"]
    if not isinstance(labels, list) or not labels or not all(isinstance(each, str) for each in labels):
        raise TypeError("labels are no list of names")
    if len(set(labels)) < len(labels):
        raise ValueError("labels are named twice")
    for name in ("began_with", "licences", "training"):
        if not isinstance(given[name], dict):
            raise TypeError(f"{name} is no mapping")
    if given["people"] is not None:
        typed(dict[str, str], given["people"])
    point = given["operating_point"]
    return Finetuned(
        **given
        | {
            "preprocessing": _preprocessing(given["preprocessing"]),
            "labels": tuple(labels),
            "operating_point": None if point is None else _operating_point(point, labels),
        }
    )


def _preprocessing(raw: Mapping[str, Any]) -> Preprocessing:
    mean, std = (tuple(float(value) for value in raw.get(name, ())) for name in ("mean", "std"))
    rate, stretch = raw.get("rate"), raw.get("stretch")
    how = Preprocessing(
        **dict(raw)
        | {
            "rate": None if rate is None else parse_fraction(str(rate)),
            "mean": mean,
            "std": std,
            "stretch": None if stretch is None else tuple(stretch),
        }
    )
    if how.modality != "rgb":
        raise ValueError(f"modality is {how.modality!r}")
    return how


def _operating_point(raw: Mapping[str, Any], labels: list[str]) -> OperatingPoint:
    point = typed(OperatingPoint, raw)
    if point.label not in labels:
        raise ValueError(f"operating_point is of the class {point.label!r}, which there is not")
    return point


def described_weights(network: Finetuned, folder: Path, assumed: WeightsDescription) -> WeightsDescription:
    """What is known of the weights in `folder`. `assumed`: of the network that they are for."""
    origin = network.began_with.get("name")
    began = network.began_with.get("licence")
    licences = ({f"the weights {origin}": began} if began else {}) | dict(network.licences)
    return WeightsDescription(
        name=folder.name or str(folder),
        stream=network.stream,
        format=assumed.format,
        preprocessing=network.preprocessing,
        views=Views(
            window=network.window,
            stride=network.window,
            tail="loop",
            average="softmax",
            min_frames=assumed.views.min_frames,
        ),
        labels=network.labels,
        licence="; ".join(f"{source}: {licence}" for source, licence in licences.items()) or "not stated",
        source="trained here" + (f", from {origin}" if origin else ", from scratch"),
    )


def finetuned_model(folder: Path, base: Model) -> Model:
    """`base` with the weights in `folder`: its classes, its preprocessing, its windows.

    A video is cut into windows side by side; `--views single` takes the middle one, as training evaluates a
    clip with one view.
    """
    network = read_description(folder)
    if network.stream not in base.streams or len(base.streams) != 1:
        raise WeightsError(
            "is for a network with one stream",
            where=folder / DESCRIPTION,
            expected=network.stream,
            found=", ".join(base.streams),
        )
    description = described_weights(network, folder, base.streams[network.stream])
    return replace(
        base,
        name=folder.resolve().name,
        title=f"{base.title}, trained for {len(network.labels)} classes",
        streams={network.stream: description},
        alternatives={},
        demo={},
        published=None,
        own_weights={network.stream: folder / WEIGHTS},
    )


def finetuned_weights(path: Path, stream: str, assumed: WeightsDescription) -> Weights:
    """The weights of a trained network as a run uses them.

    - `path`: its folder, or `weights.safetensors` in it.

    Raises WeightsError if they are not the ones that `model.json` is about, or cannot be read.
    """
    from ..weights.formats.readers import FORMATS, detect_format
    from ..weights.record import digest

    folder = path if path.is_dir() else path.parent
    network = read_description(folder)
    file = folder / WEIGHTS
    if not file.is_file():
        raise WeightsError(
            "there is no such file", where=file, remedy=f"{DESCRIPTION} beside it needs it: copy both."
        )
    if network.stream != stream:
        raise WeightsError(
            "these are weights of another stream", where=file, expected=stream, found=network.stream
        )
    sha256 = digest([file])
    if sha256 != network.sha256:
        raise WeightsError(
            f"is not the file that {DESCRIPTION} beside it describes",
            where=file,
            expected=f"sha256 {network.sha256}",
            found=sha256,
            remedy="Copy the folder again.",
        )
    format = detect_format(file) if assumed.format in FORMATS else assumed.format
    return Weights(
        "user",
        described_weights(network, folder, replace(assumed, format=format)),
        file,
        sha256,
        operating_point=network.operating_point,
        people=_detector(network, folder),
    )


def _detector(network: Finetuned, folder: Path) -> ChosenDetector | None:
    """The detector that a network was trained with. Its file lies in the network's folder, nowhere else."""
    if network.people is None:
        return None
    name, sha256 = network.people.get("detector", ""), network.people.get("sha256")
    if sha256 is None:
        return ChosenDetector(name)
    file = folder / PEOPLE
    if not file.is_file():
        raise WeightsError(
            "there is no such file", where=file, remedy=f"{DESCRIPTION} beside it needs it: copy both."
        )
    if (found := detector_digest(file)) != sha256:
        raise WeightsError(
            f"is not the detector that {DESCRIPTION} beside it describes",
            where=file,
            expected=f"sha256 {sha256}",
            found=found,
            remedy="Copy the folder again.",
        )
    return chosen_file(name, file, network.people.get("engine"), lambda _: ())


def named_base(folder: Path) -> str:
    """The network that the one in `folder` was trained from, by a name that may be looked up.

    Raises UsageError if it is in a Python file: nothing that a folder names is executed.
    """
    base = read_description(folder).base
    if ".py" in base:
        raise UsageError(
            f"was trained from the network {base}, whose file is not executed because a folder names it",
            where=folder,
            remedy=f"If you trust that file: --models {base} --weights '*={folder}'",
        )
    return base
