"""The sentences that stand before all tables: at most four, for one model as for ten."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.records.run import AgreementVerdict, Drift, ProcessRecord
from actionbench.records.scenarios.stream import StreamRecord
from actionbench.records.scenarios.throughput import ThroughputRecord
from actionbench.reports.analysis.accuracy import same_answers
from actionbench.reports.analysis.load_runs import RunData, Timings, merge
from actionbench.reports.analysis.summary import Summary, summarise
from actionbench.reports.caveats import caveats
from actionbench.reports.sentences import MOST_RESERVATIONS, reservations, verdict
from actionbench.reports.tables.all_tables import all_tables


def summary_of(run: RunData) -> Summary:
    return summarise(merge([run]))


def said(run: RunData) -> str:
    return " ".join(verdict(summary_of(run)))


def timed(run: RunData, total_of_process: tuple[float, float, float], waited: float = 0.0) -> str:
    """The verdict, had each process taken so many times the video's length."""
    samples = tuple(
        replace(s, total_s=total_of_process[s.process] * s.video_s, waited_s=waited * s.video_s)
        for s in run.latencies
    )
    return said(replace(run, latencies=samples))


def with_records(run: RunData, **changes: dict[str, Any]) -> RunData:
    """The run with fields of its models' records changed: key → changes."""
    models = tuple(replace(m, **changes.get(m.key, {})) for m in run.run.models)
    return replace(run, run=replace(run.run, models=models))


def throughput(model: str, per_s: float, in_flight: int, waited_s: float = 0.0) -> Timings:
    record = ThroughputRecord(
        *(model, 0, in_flight, 2, 1, 1, True, True, 2, 10.0, 19.0, 20, 20, 5000, 200.0),
        answer_s=(1 / per_s,),
        rss_bytes=(100,),
        waited_s=waited_s,
    )
    return Timings((ProcessRecord(model, 0, 0, 1.0),), (replace(record, wall_s=20 / per_s),))


def camera(model: str, answered: int, fps: float = 25.0) -> Timings:
    record = StreamRecord(
        *(model, 0, "a", fps, 16, 8, 266, 0, 32),
        age_s=(0.2,) * answered,
        frame_s=0.002,
        forward_s=0.15,
        preparing_threads=1,
        network_threads=1,
        wall_s=10.7,
        cpu_s=6.0,
    )
    return Timings((ProcessRecord(model, 0, 0, 1.0),), (record,))


def joined(*timings: Timings) -> Timings:
    return Timings(
        tuple(p for t in timings for p in t.processes), tuple(s for t in timings for s in t.samples)
    )


def test_a_model_keeps_up_if_all_of_its_processes_do(two_models: RunData) -> None:
    both = "i3d and resnext keep up with a camera at 30 frames per second."
    assert both in timed(two_models, (0.5, 0.5, 0.5))
    assert "at 25 frames per second in the median, though not in all processes" in timed(
        two_models, (0.5, 0.5, 2.0)
    )
    assert "no model keeps up with a camera at 25 frames per second: i3d sustains 12.5" in timed(
        two_models, (2.0, 2.0, 2.0)
    )


def test_each_rate_has_its_models(fake: SimpleNamespace) -> None:
    flows = {"fast": None, "just": 8.0, "slow": 40.0}
    run = fake.run([fake.model(name, fake.answers(5, 10), flow_s=flow) for name, flow in flows.items()])
    first, *_ = verdict(summary_of(run))
    assert first == (
        "With preprocessing counted, fast keeps up with a camera at 30 frames per second; just at 25; "
        "slow does not."
    )


def test_the_verdict_and_the_real_time_factor_agree(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model("net", fake.answers(5, 10), flow_s=None, source_frames=None)])
    assert "net keeps up with a camera at 30 frames per second." in timed(run, (0.9, 0.9, 0.9))
    assert (
        "net does not keep up with a camera at 25 frames per second: it has a real-time factor of 0.500"
        in timed(run, (2.0, 2.0, 2.0))
    )


def test_scenarios_answer_where_only_they_were_measured(fake: SimpleNamespace) -> None:
    run = fake.run([fake.model(name, fake.answers(5, 10), forward_s=[]) for name in ("a", "b")])
    cameras = replace(run, scenarios={"stream": joined(camera("a", 32, 10.0), camera("b", 20, 10.0))})
    assert "a keeps up with a camera at 10 frames per second; b does not." in said(cameras)
    assert "a labels a camera's frames 0.200 s after their arrival" in said(cameras)
    rates = joined(throughput("a", 2.0, 1), throughput("b", 0.01, 1))
    assert "a keeps up with a camera at 30 frames per second; b does not." in said(
        replace(run, scenarios={"pipelined": rates})
    )
    at_once = joined(throughput("a", 2.0, 4), throughput("b", 1.0, 4))
    text = said(replace(run, scenarios={"throughput": at_once}))
    assert "Whether a model keeps up with a camera was not measured." in text
    assert (
        "a predicts 2.00 videos per second, several at once, 2.00 times as fast as b (one process each"
        in text
    )


def test_disturbed_times_are_called_so_before_they_are_believed(two_models: RunData) -> None:
    assert "other programs used the cores while" in timed(two_models, (0.5, 0.5, 0.5), waited=0.4)
    assert "other programs used the cores" not in timed(two_models, (0.5, 0.5, 0.5))


def test_the_fastest_with_preprocessing_may_be_another(fake: SimpleNamespace) -> None:
    flow = fake.model("flow", fake.answers(5, 10), forward_s=(0.1, 0.1, 0.1))
    rgb = fake.model("rgb", fake.answers(5, 10), forward_s=(0.2, 0.2, 0.2), flow_s=None)
    text = said(fake.run([flow, rgb]))
    assert "flow predicts a video in 0.110 s, 1.91 times as fast as rgb" in text
    assert "with preprocessing rgb takes the least time, 0.711 s" in text


def test_what_computes_something_else_is_neither_fastest_nor_deployable(two_models: RunData) -> None:
    run = with_records(
        two_models,
        resnext={"drift": Drift("i3d", 1.0, 1.0, verdict="other")},
    )
    text = said(run)
    assert "resnext DOES NOT MATCH i3d, so its times do not count" in text
    assert "resnext predicts" not in text
    assert "resnext keeps" not in text


def backends(fake: SimpleNamespace, hits: dict[str, int]) -> RunData:
    run: RunData = fake.run([fake.model(key, fake.answers(n, 10), title=key[:3]) for key, n in hits.items()])
    return run


def test_backends_that_answer_alike_are_one_mention_and_one_line(fake: SimpleNamespace) -> None:
    run = backends(fake, {"i3d@a": 7, "i3d@b": 7, "i3d@c": 7, "res@a": 5, "res@b": 5, "i3d@d": 6})
    summary = summary_of(run)
    assert [[m.name for m in group] for group in same_answers(merge([run]).models)] == [
        ["i3d@a", "i3d@b", "i3d@c"],
        ["res@a", "res@b"],
        ["i3d@d"],
    ]
    assert "No significant difference in top-1 accuracy between any two of 3 networks" in " ".join(
        verdict(summary)
    )
    (paired,) = (table for table in all_tables(summary) if table.name == "paired")
    assert [row[0] for row in paired.rows if row[1] == "all"] == [
        "i3d@a\nres@a",
        "i3d@a\ni3d@d",
        "res@a\ni3d@d",
    ]
    assert "i3d@c made the same predictions as i3d@a, which stands for both." in paired.notes
    alone = said(backends(fake, {"i3d@a": 7, "i3d@b": 7}))
    assert (
        "Top-1 accuracy of i3d@a (and 1 more backend with the same predictions): 85 % [64–95] of 20" in alone
    )


@pytest.mark.parametrize(
    "changes", [{"title": "another"}, {"views": "one window"}, {"flow": None}, {"weights": {}}]
)
def test_the_same_answers_of_something_else_do_not_stand_for_each_other(
    fake: SimpleNamespace, changes: dict[str, object]
) -> None:
    run = with_records(backends(fake, {"i3d@a": 7, "i3d@b": 7}), **{"i3d@b": changes})
    assert len(same_answers(merge([run]).models)) == 2
    both = merge([backends(fake, {"i3d@a": 7}), replace(backends(fake, {"i3d@a": 7}), name="run-2")])
    assert len(same_answers(both.models)) == 2, "a run that was repeated is not another backend"


def test_the_best_is_named_with_whom_it_beats(fake: SimpleNamespace) -> None:
    hits = {"a": 30, "b": 29, "c": 5}
    run = fake.run([fake.model(key, fake.answers(n, 30), title=key) for key, n in hits.items()])
    text = said(run)
    assert "a is more accurate than c (top-1 100 % [91–100] against 38 % [24–53]; p < 0.001 on 40" in text
    assert "no significant difference from b." in text


def test_a_difference_between_others_is_said_if_the_best_shows_none(fake: SimpleNamespace) -> None:
    """The best answered few videos."""
    best = fake.model("best", dict(list(fake.answers(30, 30).items())[:4]), title="best")
    others = [fake.model(key, fake.answers(n, 30), title=key) for key, n in (("good", 29), ("bad", 5))]
    text = said(fake.run([best, *others]))
    assert "of best, not significantly different from any other; the difference between good and bad" in text
    assert "on 4 to 40 videos" in text


def test_weights_of_two_kinds_are_not_compared(fake: SimpleNamespace) -> None:
    kinds = ("user", "demo", "random")
    text = said(fake.run([fake.model(kind, fake.answers(5, 10), kind=kind, title=kind) for kind in kinds]))
    assert "Top-1 accuracy of user: 75 %" in text
    assert "demo and random have demo or random weights, so no known accuracy" in text


def test_models_that_answered_no_video_in_common_are_not_tested(fake: SimpleNamespace) -> None:
    a = fake.model("a", fake.answers(5, 10), title="a")
    b = fake.model("b", {f"x{clip}": answer for clip, answer in a.answers.items()}, title="b")
    assert "of a; no two models predicted the same videos." in said(fake.run([a, b]))


@st.composite
def runs(draw: st.DrawFn, fake: SimpleNamespace) -> RunData:
    """One run of any models: failed, untimed, disturbed, disagreeing, with scenarios or without."""
    count = draw(st.integers(1, 10))
    keys = draw(
        st.lists(
            st.sampled_from([f"net{i}@{b}" for i in range(4) for b in "abc"]), min_size=count, unique=True
        )
    )
    kinds = st.sampled_from(["user", "published", "demo", "random"])
    kind = st.just(draw(kinds)) if draw(st.booleans()) else kinds
    models, changes, stretches, cameras = [], {}, [], []
    for key in keys:
        failed, timed = draw(st.booleans()), draw(st.integers(0, 3))
        second = draw(st.floats(0.01, 50))
        hits = draw(st.integers(0, 30))
        models.append(
            fake.model(
                key,
                {} if failed and draw(st.booleans()) else fake.answers(hits, 30),
                kind=draw(kind),
                title=key.partition("@")[0],
                forward_s=[second * (1 + i / 10) for i in range(timed)],
                flow_s=draw(st.sampled_from([None, 0.1, 8.0, 40.0])),
                state="failed" if failed else "done",
                error="out of memory" if failed else None,
                repetitions=1,
            )
        )
        change: dict[str, Any] = {}
        if draw(st.booleans()):
            verdict: AgreementVerdict = draw(st.sampled_from(["same", "drifts", "other"]))
            change["drift"] = Drift(keys[0], 0.1, 0.1, verdict=verdict)
        if draw(st.booleans()):
            change["sweep"] = {"batch": 2}
        changes[key] = change
        if draw(st.booleans()):
            stretches.append(throughput(key, second, 1, draw(st.sampled_from([0.0, 900.0]))))
        if draw(st.booleans()):
            cameras.append(camera(key, draw(st.integers(0, 32)), draw(st.sampled_from([10.0, 25.0, 60.0]))))
    state = draw(st.sampled_from(["done", "running", "incomplete", "interrupted"]))
    run = with_records(fake.run(models, state=state), **changes)
    waited = draw(st.sampled_from([0.0, 100.0]))
    scenarios: dict[str, Timings] = {}
    for name in ("pipelined", "throughput"):
        if draw(st.booleans()) and stretches:
            scenarios[name] = joined(*stretches)
    if cameras:
        scenarios["stream"] = joined(*cameras)
    samples = tuple(replace(s, waited_s=waited) for s in run.latencies)
    return replace(run, latencies=samples, scenarios=scenarios)


@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_the_verdict_is_at_most_four_sentences_whatever_was_measured(
    fake: SimpleNamespace, data: st.DataObject
) -> None:
    summary = summary_of(data.draw(runs(fake)))
    sentences = verdict(summary)
    assert 1 <= len(sentences) <= 4
    for sentence in sentences:
        assert sentence.endswith(".")
        assert ". " not in sentence, "one sentence"
        assert len(sentence) < 420, sentence
        assert not sentence.startswith("But") or sentence is sentences[-1]
    everything = [*sentences, *caveats(summary)]
    for reservation in reservations(summary):
        assert any(reservation in text for text in everything), "in the verdict or among the caveats"


def test_ten_models_are_not_ten_names(fake: SimpleNamespace) -> None:
    models = [fake.model(f"network-{i}", fake.answers(10 + i, 30), title=f"n{i}") for i in range(10)]
    sentences = verdict(summary_of(fake.run(models)))
    assert "network-0, network-1, network-2 and 7 more keep up" in sentences[0]
    assert max(map(len, sentences)) < 250


def test_reservations_beyond_the_gravest_are_caveats(fake: SimpleNamespace) -> None:
    keys = ("dead", "odd", "demo", "late")
    models = [
        fake.model(key, fake.answers(5, 10), title=key, kind="demo" if key == "demo" else "user")
        for key in keys
    ]
    run = with_records(
        fake.run(models, state="interrupted"),
        dead={"state": "failed"},
        odd={"drift": Drift("late", 1.0, 1.0, verdict="other")},
    )
    samples = tuple(replace(s, waited_s=s.total_s) for s in run.latencies)
    summary = summary_of(replace(run, latencies=samples))
    found = reservations(summary)
    assert len(found) == 5
    assert verdict(summary)[-1] == f"But {'; '.join(found[:MOST_RESERVATIONS])}."
    assert {f"Also: {text}." for text in found[MOST_RESERVATIONS:]} <= set(caveats(summary))


def test_it_is_said_on_how_many_nodes_an_accuracy_was_computed(two_models: RunData) -> None:
    kinds = {"host/0": {"cpu": "a"}, "host/1": {"cpu": "a"}, "host/2": {"cpu": "b"}}
    clips = {model: replace(each, nodes=frozenset(kinds)) for model, each in two_models.clips.items()}
    run = replace(two_models.run, environment=two_models.run.environment | {"nodes": kinds})
    told = caveats(summary_of(replace(two_models, run=run, clips=clips)))
    assert (
        "The accuracy of run-1 was computed on 3 nodes of a cluster, of 2 kinds of machine: the last digits "
        "of probabilities may differ between kinds." in told
    )
    alike = {model: replace(each, nodes=frozenset({"host/1"})) for model, each in clips.items()}
    told = caveats(summary_of(replace(two_models, run=run, clips=alike)))
    assert "The accuracy of run-1 was computed on 1 node of a cluster, of 1 kind of machine." in told
    assert "cluster" not in " ".join(caveats(summary_of(two_models)))
