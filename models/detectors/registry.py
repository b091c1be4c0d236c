"""The detectors that `--people` can name, and how a name becomes a loaded one.

Nothing here imports OpenCV or an engine before `load_detector` does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BackendUnavailable, UsageError, WeightsError
from ...registry import Registry
from ..capabilities import BACKENDS, absent
from ..weights.record import digest

if TYPE_CHECKING:
    from .detector import Detector

DETECTORS = {
    "hog": "actionbench.models.detectors.hog:hog",
    "onnx": "actionbench.models.detectors.onnx_detector:onnx",
}
"""Name → "module:attribute" of a function that returns the detector. It takes what it needs of `file`,
`engine`, `threads` and `at_once` (see `load_detector`)."""

ENGINES = ("openvino", "onnx")
"""Backends that compute a detector's file; the first one that is installed is used."""

DETECTORS_IN_WORDS = "`hog` or `onnx:FILE`, with `@openvino` or `@onnx` behind it"
"""What `--people` takes."""

PEOPLE_HELP = (
    f"detector of persons, {DETECTORS_IN_WORDS}: the network sees a square around each clip's main person "
    "(docs/people.md)"
)
"""What `--people` means, in every command; what holds without it is for each command to say."""

Lacking = Callable[[Sequence[str]], Sequence[str]]
"""Gives those of some modules that the interpreter lacks which will run the detector."""

_REGISTRY = Registry("detector of persons", "actionbench.detectors", DETECTORS)


@dataclass(frozen=True, slots=True)
class ChosenDetector:
    """A detector that was named, with its file found and checked.

    - `name`: in the registry.
    - `file`: its weights, None where it needs none. `engine`: the backend that computes the file.
    - `sha256`: of the file, and of the description beside it where there is one.
    """

    name: str
    file: Path | None = None
    engine: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        """For people: "hog", "onnx (yolox_nano.onnx, openvino)"."""
        return self.name if self.file is None else f"{self.name} ({self.file.name}, {self.engine})"

    def record(self) -> dict[str, str]:
        """For records: which detector it was, without the path of its file."""
        if self.file is None:
            return {"detector": self.name}
        return {
            "detector": self.name,
            "file": self.file.name,
            "engine": str(self.engine),
            "sha256": str(self.sha256),
        }


def choose_detector(
    text: str,
    lacking: Lacking = absent,
    where: str = "--people",
) -> ChosenDetector:
    """The detector that `text` names; of an ONNX file the graph is read, but nothing is computed.

    - `text`: as `--people` takes it: DETECTORS_IN_WORDS, or a name that an installed package adds.
    - `lacking`: by default asks this interpreter.
    - `where`: what errors name.

    Raises UsageError for an unknown name or a missing file, WeightsError for a file that is no detector,
    BackendUnavailable if no engine for it is installed.
    """
    name, colon, rest = text.partition(":")
    takes = inspect.signature(_REGISTRY.load(name)).parameters if name not in DETECTORS else {}
    if name != "onnx" and "file" not in takes:
        if colon:
            raise UsageError(f"{name} takes no file", where=f"{where} {text}", expected=DETECTORS_IN_WORDS)
        return ChosenDetector(name)
    path, engine = _parts(rest)
    if not path:
        raise UsageError("names no file", where=f"{where} {text}", expected=DETECTORS_IN_WORDS)
    file = Path(path)
    if not file.is_file():
        raise UsageError("there is no such file", where=f"{where} {text}", found=file)
    return chosen_file(name, file, engine, lacking)


def chosen_file(
    name: str,
    file: Path,
    engine: str | None = None,
    lacking: Lacking = absent,
) -> ChosenDetector:
    """The detector in `file`, checked; `engine`: None for the first one that is installed.

    Raises WeightsError and BackendUnavailable as `choose_detector` does.
    """
    from .graph import read_graph

    installed = _installed(file, engine, lacking)
    read_graph(file)
    return ChosenDetector(name, file, installed, detector_digest(file))


def _installed(file: Path, engine: str | None, lacking: Lacking) -> str:
    wanted = (engine,) if engine else ENGINES
    for each in wanted:
        if not lacking(BACKENDS[each].packages):
            return each
    raise BackendUnavailable(
        "no engine for the detector is installed",
        where=file,
        expected=" or ".join(wanted),
        remedy=BACKENDS[wanted[0]].remedy + ".",
    )


def detector_digest(file: Path) -> str:
    """SHA-256 of a detector's file, followed by the description beside it where there is one."""
    from .graph import description_path

    description = description_path(file)
    return digest([file, *([description] if description.is_file() else [])])


def absolute_detector(text: str, folder: Path = Path()) -> str:
    """`text`, as `--people` takes it, with the path of its file made absolute where it exists.

    - `folder`: that a relative path begins at.
    """
    name, _, rest = text.partition(":")
    path, engine = _parts(rest)
    if not path or not (folder / path).exists():
        return text
    return f"{name}:{(folder / path).absolute()}" + (f"@{engine}" if engine else "")


def with_engine(chosen: ChosenDetector, lacking: Lacking = absent) -> ChosenDetector:
    """The same detector, computed by another engine where its own is not installed; `lacking`: as above.

    Raises BackendUnavailable if none is.
    """
    if chosen.file is None or not lacking(BACKENDS[str(chosen.engine)].packages):
        return chosen
    return replace(chosen, engine=_installed(chosen.file, None, lacking))


def _parts(text: str) -> tuple[str, str | None]:
    """File and engine of "FILE@ENGINE"; a file's name may contain an @."""
    path, _, engine = text.rpartition("@")
    return (path, engine) if path and engine in ENGINES else (text, None)


def load_detector(chosen: ChosenDetector, threads: int, at_once: int = 1) -> Detector:
    """The detector, ready to compute.

    - `threads`: CPU threads of one call, where the detector lets them be chosen.
    - `at_once`: number of calls that may overlap, each with `threads` threads.

    Raises WeightsError if its file is not the one that was chosen, and as its function does.
    """
    if chosen.file is not None and detector_digest(chosen.file) != chosen.sha256:
        raise WeightsError(
            "is not the file that was checked", where=chosen.file, expected=f"sha256 {chosen.sha256}"
        )
    factory = _REGISTRY.load(chosen.name)
    known: dict[str, Any] = {
        "file": chosen.file,
        "engine": chosen.engine,
        "threads": threads,
        "at_once": at_once,
    }
    wanted = inspect.signature(factory).parameters
    detector: Detector = factory(**{key: value for key, value in known.items() if key in wanted})
    return detector
