"""The table of `--find-peak` and `--streams`: with which cameras can a model be deployed on this machine?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ...records.disturbance import UNDISTURBED, is_disturbed
from ...records.scenarios.declaration import WAITING
from ...records.scenarios.stream import (
    KEPT_UP,
    STREAM,
    StreamRecord,
    least_answered,
    least_processed,
    no_label_due,
    persons_in_the_picture,
    persons_in_words,
)
from ...records.scenarios.stream_trials import FEWEST_STRIDES, StreamPeak
from ..analysis.summary import ModelSummary, Summary
from ..numbers import UNKNOWN, number, one_line
from ..statistics.intervals import percentile
from .table import Column, Line, Record, Table, table

NOTES = (
    "Each trial was made once, by the rule of the scenario stream: of every camera at least 99 % of the due "
    "labels computed and of the frames processed. Nothing is inferred about what was not tried. A network "
    "that is too slow by less than a twentieth may pass.",
    "Only time is judged: where the camera has another rate than the weights were trained at, motion looks "
    "faster or slower to the network.",
)

OF_CAMERAS = (
    "Several cameras begin at the same time, which is the least favourable case for the age of their labels; "
    "each decodes, resizes and computes flow by itself, and one network computes the labels of all in turn. "
    "Memory of another camera: by how much the process grew between the trials with the fewest and the most "
    "cameras."
)


def stream_peaks(summary: Summary) -> Table:
    """A row for each model and search: what was found, with the ages of the labels there."""
    columns = (
        Column("Model", "left"),
        Column("Searched", "left"),
        Column("Found"),
        Column("Not kept\nup with"),
        Column("Labels / s"),
        Column("Labels late"),
        Column("Age of a label, ms\nmedian,\n95 %,\nworst"),
        Column("Memory of\nanother\ncamera, MB"),
        Column("Search", "left"),
    )
    found = [(m, peak) for m in summary.models for peak in m.stream_peaks]
    sentences = [sentence(m.name, peak) for m, peak in found]
    disturbed = [note for m, peak in found for note in _disturbed(m, peak)]
    several = [OF_CAMERAS] if any(peak.search == "cameras" for _, peak in found) else []
    few = [note for m, peak in found for note in _few_labels(m, peak)]
    notes = [*sentences, *few, *disturbed, *NOTES, *several] if found else []
    lines = (_line(m, peak) for m, peak in found)
    return table("stream_peaks", "Which cameras a model keeps up with", columns, lines, notes)


def _line(m: ModelSummary, peak: StreamPeak) -> Line:
    kept_up = peak.kept_up
    known = dict.fromkeys(("age_s", "age_s_p95", "age_s_worst")) if kept_up is None else ages(kept_up)
    state = "ended" if peak.ended else "not finished"
    texts = (
        one_line(m.name),
        _searched(peak),
        "0" if peak.search == "cameras" and _nothing(peak) else _value(peak, kept_up),
        _value(peak, peak.not_kept_up),
        UNKNOWN if kept_up is None else number(_figure(kept_up, "labels_per_s")),
        UNKNOWN if kept_up is None else f"{_figure(kept_up, 'labels_late')} of {kept_up.due}",
        "\n".join(map(_ms, known.values())),
        number(None if peak.camera_bytes is None else peak.camera_bytes / 1e6),
        "no label\nwas due" if peak.undecided else "ended at its limit" if _at_limit(peak) else state,
    )
    record: Record = {
        "model": m.name,
        "search": peak.search,
        **_camera("", kept_up),
        **_camera("not_kept_up_", peak.not_kept_up),
        "labels_per_s": None if kept_up is None else _figure(kept_up, "labels_per_s"),
        "labels_late": None if kept_up is None else _figure(kept_up, "labels_late"),
        "labels_due": None if kept_up is None else kept_up.due,
        **known,
        **persons(kept_up),
        "camera_bytes": peak.camera_bytes,
        "ended": "yes" if peak.ended else "no",
        "at_limit": "yes" if _at_limit(peak) else "no",
        "no_label_due": "no" if peak.undecided is None else "yes",
    }
    return texts, record


def _searched(peak: StreamPeak) -> str:
    camera = peak.camera
    match peak.search:
        case "stride":
            return f"smallest stride\nat {camera.fps:g} frames / s"
        case "rate":
            return f"largest rate\nat stride {camera.stride}"
        case "cameras":
            return f"most cameras\nat {camera.fps:g} frames / s,\nstride {camera.stride}"


def ages(trial: StreamRecord) -> dict[str, float | None]:
    """Ages of a trial's labels, seconds: median, 95th percentile and largest; None where unknown."""
    age_s = trial.age_s
    return {
        "age_s": float(np.median(age_s)) if age_s else None,
        "age_s_p95": percentile(age_s, 0.95),
        "age_s_worst": max(age_s, default=None),
    }


def persons(trial: StreamRecord | None) -> dict[str, float | None]:
    """Persons in the picture in a trial: median and most; None where nobody is looked for."""
    found = None if trial is None else persons_in_the_picture(trial)
    median, most = (None, None) if found is None else found
    return {"persons": median, "persons_most": most}


def _camera(prefix: str, trial: StreamRecord | None) -> Record:
    return {
        f"{prefix}fps": None if trial is None else trial.fps,
        f"{prefix}stride": None if trial is None else trial.stride,
        f"{prefix}cameras": None if trial is None else trial.cameras,
    }


def sentence(model: str, peak: StreamPeak) -> str:
    """Whether and how the model `model` can be deployed with such a camera, in a sentence."""
    found = {"stride": _stride, "rate": _rate, "cameras": _cameras}[peak.search]
    known = [found(peak)] if peak.kept_up or peak.not_kept_up else []
    if (undecided := peak.undecided) is not None:
        tried = f"{_several(peak, undecided)}{_every(undecided.stride)} at {undecided.fps:g} frames/s"
        known.append(f"with {tried}, {one_line(no_label_due(undecided))}, which ended the search")
    text = f"{one_line(model)}: {'; '.join(known)}"
    if _at_limit(peak):
        text += ", where the search ended"
    return text + ("." if peak.ended else "; the search is not finished.")


def _stride(peak: StreamPeak) -> str:
    kept_up, fps = peak.kept_up, f"{peak.camera.fps:g} frames/s"
    if kept_up is None:
        assert peak.not_kept_up is not None, "a search has a trial"
        return f"cannot be deployed at {fps}: it does not keep up even with {_every(peak.not_kept_up.stride)}"
    text = f"can be deployed at {fps} with {_every(kept_up.stride)}, {_aged(kept_up)}"
    worse = peak.not_kept_up
    return text if worse is None else f"{text}; it does not keep up with {_every(worse.stride)}"


def _rate(peak: StreamPeak) -> str:
    kept_up, worse = peak.kept_up, peak.not_kept_up
    every = _every(peak.camera.stride)
    if kept_up is None:
        assert worse is not None, "a search has a trial"
        return f"with {every}, it does not keep up even with {worse.fps:g} frames/s"
    text = f"with {every}, it keeps up with {kept_up.fps:g} frames/s, the labels {_aged(kept_up)}"
    return text if worse is None else f"{text}; it does not keep up with {worse.fps:g}"


def _cameras(peak: StreamPeak) -> str:
    kept_up, worse = peak.kept_up, peak.not_kept_up
    each = f"at {peak.camera.fps:g} frames/s with {_every(peak.camera.stride)}"
    if kept_up is None:
        assert worse is not None, "a search has a trial"
        return f"serves no camera {each}: with {worse.cameras}, {_why(worse)}"
    labels = f"the labels {_aged(kept_up)}"
    text = f"serves {_counted(kept_up.cameras)} {each} on this machine, {labels}"
    if worse is None:
        return text
    return f"{text}; with {worse.cameras}, {_why(worse)}"


def _counted(cameras: int) -> str:
    return "1 camera" if cameras == 1 else f"{cameras} cameras"


def _several(peak: StreamPeak, trial: StreamRecord) -> str:
    """The cameras of a trial, where they are what is searched."""
    return f"{_counted(trial.cameras)} and " if peak.search == "cameras" else ""


def _why(trial: StreamRecord) -> str:
    """Why a trial failed, of the camera that was served worst, and how much the process computed."""
    camera = "the camera that was served worst" if trial.cameras > 1 else "the camera"
    shares = {"due labels computed": least_answered(trial), "frames processed": least_processed(trial)}
    missed = [
        f"{_percent(share)} of its {what}"
        for what, share in shares.items()
        if share is not None and share < KEPT_UP
    ]
    busy = f"{number(_cores_busy(trial))} cores busy"
    return f"{camera} had only {' and '.join(missed)}{_with_persons(trial)} ({busy})"


def _cores_busy(trial: StreamRecord) -> float:
    return trial.cpu_s / trial.wall_s


def _percent(share: float) -> str:
    """Rounded down, so that what fell short of a limit does not look as if it had reached it."""
    return f"{math.floor(1000 * share) / 10:g} %"


def _every(stride: int) -> str:
    return "a label for every frame" if stride == 1 else f"a label every {stride} frames"


def _aged(trial: StreamRecord) -> str:
    of = ages(trial)
    aged = f"{_ms(of['age_s'])} ms old in the median and {_ms(of['age_s_worst'])} ms at most"
    return aged + _with_persons(trial)


def _with_persons(trial: StreamRecord) -> str:
    return f", with {persons_in_words(trial)}" if trial.persons else ""


def _ms(seconds: float | None) -> str:
    return number(None if seconds is None else 1000 * seconds)


def _at_limit(peak: StreamPeak) -> bool:
    """Whether the search ended because it would not go further, not because it had found the answer."""
    if not peak.ended or peak.undecided is not None:
        return False
    if peak.search == "stride":
        return peak.kept_up is None
    if peak.search == "cameras":
        return peak.not_kept_up is None
    return peak.kept_up is None or peak.not_kept_up is None


def _nothing(peak: StreamPeak) -> bool:
    """Whether not even the least demanding trial passed."""
    return peak.ended and peak.kept_up is None and peak.undecided is None


def _value(peak: StreamPeak, trial: StreamRecord | None) -> str:
    if trial is None:
        return UNKNOWN
    return {"stride": f"{trial.stride}", "rate": f"{trial.fps:g}", "cameras": f"{trial.cameras}"}[peak.search]


def _figure(trial: StreamRecord, metric: str) -> float | None:
    value = STREAM.metric(metric).value(trial)
    assert not isinstance(value, Sequence), f"{metric} is one figure"
    return value


def _few_labels(m: ModelSummary, peak: StreamPeak) -> Iterable[str]:
    """Where persons were not there for long enough, the last label of each weighs more."""
    if (trial := peak.kept_up) is None or not trial.persons:
        return
    of_each = trial.due // (trial.cameras * max(trial.persons))
    if of_each < FEWEST_STRIDES:
        yield (
            f"{one_line(m.name)}: only about {of_each} labels of each person were due in the trial with "
            f"{_several(peak, trial)}{_every(trial.stride)} at {trial.fps:g} frames/s; as the last one may "
            "be computed after the camera has ended, a network that is too slow by such a share may pass."
        )


def _disturbed(m: ModelSummary, peak: StreamPeak) -> Iterable[str]:
    if (trial := peak.not_kept_up) is None:
        return
    # The threads of several cameras also wait for each other, but then the process has the cores that it may.
    among_themselves = trial.cameras > 1 and _cores_busy(trial) > (1 - UNDISTURBED) * trial.network_threads
    if not among_themselves and is_disturbed(_figure(trial, WAITING)):
        yield (
            f"{one_line(m.name)}: other programs used the cores in the trial with {_several(peak, trial)}"
            f"{_every(trial.stride)} at {trial.fps:g} frames/s; on an idle machine it may keep up."
        )
