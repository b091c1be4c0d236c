"""Hand-made runs: what a report is derived from, without measuring anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from actionbench.records.clips.columns import ClipColumns, ClipColumnsBuilder
from actionbench.records.clips.scores import ScoreRows
from actionbench.records.run import ClipRecord, ModelRecord, ProcessRecord, Run
from actionbench.records.run_directory import RunWriter
from actionbench.records.scenarios.latency import LatencyRecord
from actionbench.reports.analysis.load_runs import RunData

LABELS = ("abseiling", "jogging", "running on treadmill", "walking the dog", "zumba", "yoga")


@dataclass
class FakeModel:
    """A model of a hand-made run.

    `answers`: clip → (true label or None, predicted label), or (true label, Exception) for an error.
    `forward_s`: seconds of each process's forward stage; `flow_s` None is an RGB network.
    `source_frames`: of each video of 10 s; None for weights with a frame rate of their own.
    """

    key: str
    answers: Mapping[str, tuple[str | None, str | Exception]]
    kind: str = "user"
    labels: tuple[str, ...] = LABELS
    forward_s: Sequence[float] = (0.2, 0.21, 0.22)
    flow_s: float | None = 8.0
    state: str = "done"
    error: str | None = None
    title: str = "a network"
    device: str = "cpu"
    views: int = 1
    cpu_ratio: float = 1.0
    repetitions: int = 2
    macs_per_view: int | None = 100_000_000_000
    parameters: int | None = 12_689_984
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source_frames: float | None = 250


def answers(target_hits: int, target_videos: int, others: int = 10) -> dict[str, tuple[str, str]]:
    """Videos of jogging, the first ones recognised, the rest taken for running; others all recognised."""
    found = {
        f"jogging/{i:02}.mp4": ("jogging", "jogging" if i < target_hits else "running on treadmill")
        for i in range(target_videos)
    }
    rest = [label for label in LABELS if label != "jogging"]
    return found | {f"other/{i:02}.mp4": (rest[i % 5], rest[i % 5]) for i in range(others)}


def make_run(models: Sequence[FakeModel], name: str = "run-1", **changes: Any) -> RunData:
    """A finished run. `changes` replace fields of its `Run`."""
    clips, scores, processes, latencies = [], {}, [], []
    for model in models:
        for clip, (label, predicted) in model.answers.items():
            if isinstance(predicted, Exception):
                clips.append(ClipRecord(model.key, clip, label, False, error=str(predicted)))
                continue
            vector = np.full(len(model.labels), 0.01, np.float32)
            vector[model.labels.index(predicted)] = 0.9
            if label in model.labels and label != predicted:
                vector[model.labels.index(label)] = 0.05
            order = np.argsort(-vector, kind="stable")[:5]
            clips.append(
                ClipRecord(
                    model.key,
                    clip,
                    label,
                    label in model.labels,
                    tuple((model.labels[i], float(vector[i])) for i in order),
                    float(vector[1]),
                    offset=0,
                    views=model.views,
                    frames=250,
                    video_s=10.0,
                    notes=model.notes.get(clip, ()),
                )
            )
            scores[model.key, clip] = vector
        details = {"parameters": model.parameters, "precision": "float32", "threads": 1}
        timed = [clip for clip, (_, predicted) in model.answers.items() if isinstance(predicted, str)][:4]
        for process, forward_s in enumerate(model.forward_s):
            processes.append(ProcessRecord(model.key, process, process, 1.5, 0.9, 2**30, None, details))
            stages_s = {"decode": 0.3, "resize": 0.2, "upload": 0.0, "forward": forward_s, "download": 0.01}
            if model.flow_s is not None:
                stages_s["flow"] = model.flow_s
            total = sum(stages_s.values()) + 0.001
            latencies += [
                LatencyRecord(
                    model.key,
                    process,
                    repetition,
                    clip,
                    stages_s,
                    total,
                    total * model.cpu_ratio,
                    model.views,
                    250,
                    10.0,
                    source_frames=model.source_frames,
                    macs=None if model.macs_per_view is None else model.macs_per_view * model.views,
                )
                for repetition in range(model.repetitions)
                for clip in timed
            ]
    records = tuple(
        ModelRecord(
            m.key,
            m.title,
            "torch",
            m.device,
            {"rgb": {"kind": m.kind, "name": "weights", "path": None, "sha256": None}},
            m.labels,
            "whole video in one pass",
            None if m.flow_s is None else "tvl1",
            m.state,  # type: ignore[arg-type]
            m.error,
            m.parameters if m.state == "done" else None,
        )
        for m in models
    )
    every_clip = dict.fromkeys(clip for m in models for clip in m.answers)
    data = {"name": "toy", "digest": "abc", "clips": len(every_clip), "missing": [], "unknown_labels": []}
    run = Run(
        "2026-01-02T03:04:05Z",
        {"models": [m.key for m in models]},
        {"cpu": "Some CPU", "cores": 2, "gpus": [], "packages": {"torch": "2.0", "tensorflow": None}},
        data,
        "jogging",
        records,
        "done",
    )
    run = replace(run, **changes)
    columns, rows = columns_of(run, clips, scores)
    return RunData(name, run, columns, tuple(processes), tuple(latencies), rows)


def columns_of(
    run: Run, clips: Iterable[ClipRecord], scores: Mapping[tuple[str, str], npt.NDArray[np.float32]]
) -> tuple[dict[str, ClipColumns], dict[str, ScoreRows]]:
    """What `RunData` holds of the accuracy pass. `scores`: (model, clip) → probabilities."""
    builder = ClipColumnsBuilder({model.key: model.labels for model in run.models})
    written = bytearray()
    for record in clips:
        vector = scores.get((record.model, record.clip))
        builder.add(replace(record, offset=None if vector is None else len(written)))
        written += b"" if vector is None else vector.astype("<f4").tobytes()
    columns = builder.columns()
    return columns, {
        model.key: ScoreRows(
            partial(BytesIO, written), columns[model.key].column("offset"), len(model.labels)
        )
        for model in run.models
    }


def records_of(run: Run, columns: Mapping[str, ClipColumns]) -> Iterator[ClipRecord]:
    """The records that columns were made of, model after model."""
    for model in run.models:
        for row, (clip, values) in enumerate(
            zip(columns[model.key].clips, columns[model.key].values, strict=True)
        ):
            names = columns[model.key].names
            yield ClipRecord(
                model.key,
                clip,
                None if values["label"] < 0 else names[values["label"]],
                bool(values["scored"]),
                tuple(
                    (names[label], float(probability))
                    for label, probability in zip(values["top5"], values["probability"], strict=True)
                    if label >= 0
                ),
                None if np.isnan(values["target_score"]) else float(values["target_score"]),
                views=int(values["views"]),
                frames=int(values["frames"]),
                video_s=float(values["video_s"]),
                flow_cached=bool(values["flow_cached"]),
                error=columns[model.key].errors.get(row),
                notes=columns[model.key].notes.get(row, ()),
            )


def scores_of(data: RunData) -> dict[tuple[str, str], npt.NDArray[np.float32]]:
    """(model, clip) → probabilities, of those that have any."""
    return {
        (model, columns.clips[row]): data.scores[model].rows(np.array([row]))[0]
        for model, columns in data.clips.items()
        for row in np.flatnonzero(data.scores[model].known)
    }


def make_big_run(
    n_models: int = 3, n_classes: int = 400, per_class: int = 10, processes: int = 10
) -> RunData:
    """A run of the thesis's size, with `per_class` videos of each class."""
    rng = np.random.default_rng(0)
    labels = tuple(f"class number {i:03}" for i in range(n_classes))
    difficulty = rng.beta(2, 5, n_classes)
    models = [FakeModel(f"network-{k}", {}, labels=labels, title="a network") for k in range(n_models)]
    run = make_run(models, name="big", target=labels[3])
    clips, scores, started, samples = [], {}, [], []
    for k, model in enumerate(models):
        for i in range(n_classes * per_class):
            true = i % n_classes
            right = rng.random() > difficulty[true] * (1 + 0.4 * k)
            taken = true if right else int(rng.integers(n_classes))
            vector = rng.dirichlet(np.full(n_classes, 0.02)).astype(np.float32) * 0.3
            vector[taken] += 0.7
            order = np.argsort(-vector, kind="stable")[:5]
            top5 = tuple((labels[j], float(vector[j])) for j in order)
            clip = f"{labels[true]}/{i // n_classes:02}.mp4"
            clips.append(
                ClipRecord(model.key, clip, labels[true], True, top5, float(vector[3]), 0, 1, 250, 10.0)
            )
            scores[model.key, clip] = vector
        for process in range(processes):
            started.append(ProcessRecord(model.key, process, process, 2.0, 1.0, 2**30, None, {}))
            slower = rng.normal(1, 0.03)
            for repetition in range(100):
                forward = (1 + 2 * k) * slower * rng.lognormal(0, 0.04)
                flow = 4.0 * slower if k == 0 else 0.0
                stages_s = {
                    "decode": 0.3,
                    "resize": 0.2,
                    "upload": 0.01,
                    "forward": forward,
                    "download": 0.01,
                }
                stages_s |= {"flow": flow} if flow else {}
                total = sum(stages_s.values())
                samples += [
                    LatencyRecord(
                        *(model.key, process, repetition, clip, stages_s, total, total, 1, 250, 10.0)
                    )
                    for clip in ("a.mp4", "b.mp4")
                ]
    columns, rows = columns_of(run.run, clips, scores)
    return replace(run, clips=columns, processes=tuple(started), latencies=tuple(samples), scores=rows)


def write_run(folder: Path, data: RunData) -> Path:
    """The run as a directory `folder / data.name`."""
    path = folder / data.name
    with RunWriter(path, data.run) as writer:
        scores = scores_of(data)
        for record in records_of(data.run, data.clips):
            writer.append_clip(record, scores.get((record.model, record.clip)))
        for timing in (*data.processes, *data.latencies):
            writer.append_timing("latency", timing)
    return path


@pytest.fixture(scope="session")
def fake() -> SimpleNamespace:
    """The makers of this file, for tests that need a run of their own."""
    return SimpleNamespace(
        model=FakeModel,
        answers=answers,
        run=make_run,
        big_run=make_big_run,
        write=write_run,
        records=records_of,
        scores=scores_of,
        labels=LABELS,
    )


@pytest.fixture
def two_models() -> RunData:
    """i3d: 7 of 10 jogging videos and all of 10 others; resnext: 5 of 10, faster, RGB only."""
    i3d = FakeModel("i3d", answers(7, 10), forward_s=(1.0, 1.1, 1.2))
    resnext = FakeModel("resnext", answers(5, 10), flow_s=None, views=16, macs_per_view=9_570_000_000)
    return make_run([i3d, resnext])


@pytest.fixture
def two_models_dir(two_models: RunData, tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs", two_models)
