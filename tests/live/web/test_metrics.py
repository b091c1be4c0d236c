"""/metrics, read by Prometheus' own parser."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from actionbench.live.web.metrics import COUNTERS, HISTOGRAMS, PREFIX
from actionbench.tests.live.web.fake_session import FakeSession

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "live-web.md"


def samples(session: FakeSession) -> dict[tuple[str, str], float]:
    """(name, `le` or the value of another label) → value."""
    answer, body = session.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(body.decode()):
        assert family.documentation
        for sample in family.samples:
            found[sample.name, sample.labels.get("le", sample.labels.get("queue", ""))] = sample.value
    return found


def test_counters_are_those_of_the_session(session: FakeSession) -> None:
    fields = [field for field, _ in COUNTERS.values()]
    for number, field in enumerate(fields, 1):
        session.measurements.count(field, number)  # type: ignore[arg-type]  # the fields are what is counted
    found = samples(session)
    for number, name in enumerate(COUNTERS, 1):
        assert found[f"{PREFIX}{name}_total", ""] == number


def test_times_are_cumulative_histograms_in_seconds(session: FakeSession) -> None:
    for seconds in (0.0005, 0.03, 0.03, 0.4, 60.0):
        session.measurements.observe("age", seconds)
    found = samples(session)
    name = f"{PREFIX}label_age_seconds"
    assert [found[f"{name}_bucket", le] for le in ("0.001", "0.025", "0.05", "0.5", "10.0", "+Inf")] == [
        1,
        1,
        3,
        4,
        4,
        5,
    ]
    assert found[f"{name}_count", ""] == 5
    assert abs(found[f"{name}_sum", ""] - 60.4605) < 1e-9
    assert {f"{PREFIX}{each}_count" for each in HISTOGRAMS} <= {metric for metric, _ in found}


def test_what_the_session_is_like_now(session: FakeSession) -> None:
    session.measurements.set_connected(True)
    session.measurements.set_stride(16)
    session.measurements.add_queue('a "queue"\n', lambda: 3)
    found = samples(session)
    assert found[f"{PREFIX}connected", ""] == 1
    assert found[f"{PREFIX}keeps_up", ""] == 0
    assert found[f"{PREFIX}stride_frames", ""] == 16
    assert found[f"{PREFIX}queue_length", 'a "queue"\n'] == 3
    assert found[f"{PREFIX}session_info", ""] == 1


def test_the_document_has_all_metrics_and_no_others(session: FakeSession) -> None:
    _, body = session.get("/metrics")
    kinds = {}
    for family in text_string_to_metric_families(body.decode()):
        ending = "_total" if family.type == "counter" else ""
        kinds[family.name.removeprefix(PREFIX) + ending] = family.type
    # The text format has no type of its own for `session_info`.
    kinds["session_info"] = "info"
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == kinds
