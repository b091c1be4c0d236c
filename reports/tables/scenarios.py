"""Tables of the scenarios beside latency, and of sweeps."""

from __future__ import annotations

from collections.abc import Iterable

from ..analysis.scenarios import Stream, Throughput
from ..analysis.summary import ModelSummary, Summary
from ..numbers import UNKNOWN, giga, mebi, number, one_line, percent, scaled, spread
from .table import Column, Line, Record, Table, table, values


def pipelined(summary: Summary) -> Table:
    """One video at a time, as soon as its overlapping stages allow."""
    columns = (
        Column("Model", "left"),
        Column("Answers"),
        Column("Answer\ns / video"),
        Column("Stages one by one\ns / video"),
        Column("Seconds of video\n/ s"),
        Column("Cores\nbusy"),
        Column("Threads,\nof a forward call"),
    )
    measured = [(m, m.pipelined) for m in summary.models if m.pipelined is not None]
    notes = [
        "One video on its way at a time; decoding, flow and the forward passes of the streams overlap where "
        "they can. Beside it the latency table's time of the same work, one stage after the other.",
        "Cores busy: CPU time by wall time and threads.",
    ]
    lines: list[Line] = []
    for m, t in measured:
        alone = m.timing.total_per_video
        texts = (
            _named(m),
            str(t.videos),
            spread(t.answer),
            spread(alone),
            number(scaled(t.factor)),
            percent(scaled(t.busy)),
            f"{t.lanes}\n{t.network_threads}",
        )
        lines.append((texts, _record(m, t) | values("total_s_per_video", alone)))
        notes += _throughput_notes(m, t)
    return table("pipelined", "One video, stages overlapping", columns, lines, notes if lines else [])


def throughput(summary: Summary) -> Table:
    """Several videos at a time, all cores or the device at work."""
    columns = (
        Column("Model", "left"),
        Column("Answers"),
        Column("Videos\n/ s"),
        Column("Frames\n/ s"),
        Column("Seconds of video\n/ s"),
        Column("Answer\ns / video"),
        Column("Busy:\ncores,\nGPU"),
        Column("Videos at once,\nthreads,\nviews / call"),
        Column("Peak MiB,\ngrowth"),
    )
    measured = [(m, m.throughput) for m in summary.models if m.throughput is not None]
    notes = [
        "Several videos on their way at a time, shared out over the threads. Measured from one answer to "
        "another: start-up and the emptying at the end are not in it.",
        "Cores busy: CPU time by wall time and threads. Growth: memory in the last third of the time against "
        "the first.",
    ]
    lines: list[Line] = []
    for m, t in measured:
        growth = "" if t.growth is None else f"\n{100 * t.growth:+.1f} %"
        texts = (
            _named(m),
            str(t.videos),
            spread(t.videos_per_s),
            number(scaled(t.frames_per_s)),
            spread(t.factor),
            spread(t.answer),
            f"{percent(scaled(t.busy))}\n{percent(scaled(t.gpu_busy))}",
            f"{t.in_flight}\n{t.lanes}\n{_views_a_call(t)}",
            f"{number(mebi(t.peak_rss_bytes))}{growth}",
        )
        lines.append((texts, _record(m, t)))
        notes += _throughput_notes(m, t)
    return table("throughput", "Throughput", columns, lines, notes if lines else [])


def _views_a_call(t: Throughput) -> str:
    """A call takes what is there when a thread is free, up to the batch that was asked for."""
    if t.batch == 1 or t.mean_batch is None:
        return str(t.batch)
    return f"{number(t.mean_batch.value, 2)} of {t.batch}"


def _record(m: ModelSummary, t: Throughput) -> Record:
    return {
        **_setting(m),
        "answers": t.videos,
        "processes": None if t.videos_per_s is None else t.videos_per_s.n,
        **values("videos_per_s", t.videos_per_s),
        **values("frames_per_s", t.frames_per_s),
        **values("video_s_per_s", t.factor),
        **values("answer_s_per_video", t.answer),
        **values("cores_busy", t.busy),
        **values("gpu_busy", t.gpu_busy),
        "videos_at_once": t.in_flight,
        "threads": t.lanes,
        "network_threads": t.network_threads,
        "batch": t.batch,
        **values("mean_batch", t.mean_batch),
        "peak_host_bytes": t.peak_rss_bytes,
        "memory_growth": t.growth,
        "waiting_ratio": t.waiting,
    }


def _throughput_notes(m: ModelSummary, t: Throughput) -> Iterable[str]:
    name = one_line(m.name)
    if t.disturbed:
        yield _disturbed(name, t.waiting)
    if not t.forwards_at_once:
        yield f"{name}: forward calls one at a time."
    yield from (f"{name}: left out {one_line(clip)}: {one_line(reason)}." for clip, reason in t.skipped)
    yield from (f"{name}: {one_line(note)}." for note in t.notes)
    yield from (f"{name}: process {i} measured nothing: {one_line(error)}." for i, error in t.errors)


def stream(summary: Summary) -> Table:
    """Whether a camera is kept up with."""
    columns = (
        Column("Model", "left"),
        Column("Camera\nframes / s,\nwindow,\nstride"),
        Column("Keeps up"),
        Column("Labels / s"),
        Column("Age of a label, ms\nmedian,\n95 %,\nworst"),
        Column("Labels answered\nof those due"),
        Column("Frames lost"),
        Column("Work, ms\n/ frame,\n/ window"),
    )
    measured = [(m, m.stream) for m in summary.models if m.stream is not None]
    notes = [
        "A simulated camera at a fixed rate; each frame is resized and its flow computed once. Age: from the "
        "arrival of a window's last frame to its label. A window that is complete while another is in the "
        "network waits; a newer one takes its place.",
        "Keeps up: 99 % of the labels due and of the frames, in every process.",
    ]
    lines: list[Line] = []
    for m, s in measured:
        ages = (spread(s.age, 1000), number(_ms(s.age_p95)), number(_ms(s.oldest)))
        texts = (
            _named(m),
            f"{number(s.fps)}\n{s.window}\n{s.stride}",
            "yes" if s.keeps_up else "no",
            spread(s.labels_per_s),
            "\n".join(ages),
            f"{s.labels} of {s.due}\n{percent(s.labels / s.due)}",
            f"{s.dropped} of {s.frames}",
            f"{number(scaled(s.frame, 1000))}\n{number(scaled(s.forward, 1000))}",
        )
        lines.append((texts, _stream_record(m, s)))
        notes += _stream_notes(m, s)
    return table("stream", "A camera", columns, lines, notes if lines else [])


def _stream_record(m: ModelSummary, s: Stream) -> Record:
    return {
        **_setting(m),
        "processes": None if s.age is None else s.age.n,
        "fps": s.fps,
        "window": s.window,
        "stride": s.stride,
        "keeps_up": "yes" if s.keeps_up else "no",
        **values("labels_per_s", s.labels_per_s),
        **values("age_s", s.age),
        "age_s_p95": s.age_p95,
        "age_s_worst": s.oldest,
        "labels": s.labels,
        "labels_due": s.due,
        "frames": s.frames,
        "frames_lost": s.dropped,
        **values("frame_s", s.frame),
        **values("forward_s", s.forward),
        "threads": s.threads,
        "waiting_ratio": s.waiting,
    }


def _stream_notes(m: ModelSummary, s: Stream) -> Iterable[str]:
    name = one_line(m.name)
    if s.disturbed:
        yield _disturbed(name, s.waiting)
    yield from (f"{name}: {one_line(note)}." for note in s.notes)
    yield from (f"{name}: process {i} measured nothing: {one_line(error)}." for i, error in s.errors)


def sweep(summary: Summary) -> Table:
    """Times at each point of a sweep."""
    models = [m for m in summary.models if m.measured.model.sweep]
    axes = list(dict.fromkeys(axis for m in models for axis in m.measured.model.sweep))
    columns = (
        Column("Model", "left"),
        *(Column(axis) for axis in axes),
        Column("Prediction\nms / view"),
        Column("All work\ns / video"),
        Column("Network\nGFLOP / s"),
        Column("Throughput\nvideos / s"),
    )
    lines: list[Line] = []
    for m in models:
        point, at_once = m.measured.model.sweep, None if m.throughput is None else m.throughput.videos_per_s
        texts = (
            _named(m),
            *(UNKNOWN if axis not in point else str(point[axis]) for axis in axes),
            spread(m.timing.prediction_per_view, 1000),
            spread(m.timing.total_per_video),
            number(giga(scaled(m.timing.flops_per_s))),
            spread(at_once),
        )
        record: Record = {
            **_setting(m),
            **{axis: point.get(axis) for axis in axes},
            **values("prediction_ms_per_view", m.timing.prediction_per_view, 1000),
            **values("total_s_per_video", m.timing.total_per_video),
            **values("network_gflop_per_s", m.timing.flops_per_s, 1e-9),
            **values("videos_per_s", at_once),
        }
        lines.append((texts, record))
    notes = [
        "Threads: CPU threads of a process. Window: frames of the one view. Batch: views in a forward call."
    ]
    return table("sweep", "Sweep", columns, lines, notes if lines else [])


def _named(m: ModelSummary) -> str:
    flow = "RGB only" if m.measured.model.flow is None else f"flow {m.measured.model.flow}"
    return f"{one_line(m.name)}\n{one_line(f'{flow}, {m.precision}')}"


def _setting(m: ModelSummary) -> Record:
    return {"model": m.name, "flow": m.measured.model.flow, "precision": m.precision, "device": m.device}


def _disturbed(name: str, waiting: float | None) -> str:
    return (
        f"{name}: disturbed: each of its threads waited for a core {number(waiting)} s in every "
        "second; something else was computing."
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
