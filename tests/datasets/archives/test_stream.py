"""Bytes arrive in order, each once, however bad the server is; or there is one clear error."""

from __future__ import annotations

import hashlib
import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.archives.bandwidth import BandwidthLimit
from actionbench.datasets.archives.stream import ByteStream, Expected, open_stream
from actionbench.downloads.web import RetryPolicy
from actionbench.errors import ArchiveError

from .server import HASTE, Fault, Server, serving

DATA = random.Random(5).randbytes(50_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture(autouse=True)
def data(server: Server) -> None:
    server.files["part"] = DATA


def read(
    server: Server, *, start: int = 0, identity: str = "", expected: Expected | None = None
) -> tuple[bytes, ByteStream]:
    with open_stream(
        server.url("part"), start=start, identity=identity, expected=expected, policy=HASTE
    ) as stream:
        return stream.readall() or b"", stream


def ranges(server: Server) -> list[str]:
    return [wanted for _, wanted in server.requests]


def test_a_file_is_read_and_compared_with_what_is_published(server: Server) -> None:
    data, stream = read(server, expected=Expected(len(DATA), SHA256, MD5))
    assert data == DATA
    assert (stream.position, stream.size, stream.received) == (len(DATA),) * 3
    assert stream.verified == ("size", "sha256", "md5")
    assert (stream.identity, stream.reconnections) == ('"1"', 0)


def test_nothing_counts_as_verified_that_nobody_published(server: Server) -> None:
    assert read(server)[1].verified == ()


def test_a_cut_is_continued_at_the_byte(server: Server) -> None:
    server.faults = [Fault(cut=1000), Fault(cut=2000)]
    data, stream = read(server, expected=Expected(sha256=SHA256))
    assert data == DATA
    assert ranges(server) == ["", "bytes=1000-", "bytes=3000-"]
    assert stream.reconnections == 2
    assert stream.received == len(DATA)


def test_silence_is_a_cut(server: Server) -> None:
    server.faults = [Fault(cut=1000, stall_s=60)]
    assert read(server)[0] == DATA
    assert ranges(server) == ["", "bytes=1000-"]


def test_attempts_count_from_the_last_progress(server: Server) -> None:
    server.faults = [Fault(cut=7000), Fault(status=500), Fault(status=503)] * 5
    assert read(server)[0] == DATA


@pytest.mark.parametrize("begun", [False, True])
def test_a_server_that_stays_broken_is_given_up(server: Server, begun: bool) -> None:
    server.faults = [Fault(cut=1000)] if begun else []
    server.always = Fault(status=503)
    with pytest.raises(
        ArchiveError, match=r"part: could not be read in 3 attempts; found HTTP 503 .*at byte"
    ):
        read(server)
    assert len(server.requests) == HASTE.attempts + begun


@pytest.mark.parametrize(
    ("status", "text"),
    [(403, "refuses the request; found HTTP 403"), (404, "does not have it"), (204, "no file")],
)
def test_a_refusal_is_told_at_once(server: Server, status: int, text: str) -> None:
    server.always = Fault(status=status)
    with pytest.raises(ArchiveError, match=text):
        read(server)
    assert len(server.requests) == 1


def test_the_wait_that_a_server_asks_for_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(ByteStream, "_wait", lambda _, seconds: waits.append(seconds))
    server.faults = [Fault(status=429, retry_after="7"), Fault(cut=10), Fault(status=500)]
    assert read(server)[0] == DATA
    assert waits == [7.0, HASTE.pause_s, HASTE.pause_s]


@pytest.mark.parametrize("cut", [1, 30_000, len(DATA) - 1])
def test_a_server_without_ranges_is_read_over(server: Server, cut: int) -> None:
    server.faults = [Fault(cut=cut), Fault(ranges="ignored")]
    data, stream = read(server, expected=Expected(sha256=SHA256))
    assert data == DATA
    assert stream.received == len(DATA) + cut


def test_a_server_without_ranges_that_always_cuts_at_the_same_byte_is_given_up(server: Server) -> None:
    server.always = Fault(cut=1000, ranges="ignored")
    with pytest.raises(ArchiveError, match="3 attempts"):
        read(server)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(etag='"2"'), "has changed since its beginning was read"),
        (Fault(etag='"2"', ignores_if_range=True), "has changed since its beginning was read"),
        (Fault(etag=""), "found nothing that identifies the file"),
        (
            Fault(ranges="shifted"),
            "another part .* expected bytes from 1000 on; found bytes 1001-49999/50000",
        ),
        (Fault(ranges="unstated"), "another part .* found no Content-Range"),
        (Fault(total=60_000), "another size than expected; expected 50000 bytes; found 60000"),
        (Fault(ranges="ignored", extra=b"x"), "another size than expected"),
        (Fault(extra=b"x"), "has more bytes than expected"),
        (Fault(unsized=True, extra=b"x"), "has more bytes than expected"),
    ],
)
def test_another_file_after_a_cut_is_never_mixed_in(server: Server, fault: Fault, text: str) -> None:
    server.faults = [Fault(cut=1000), fault]
    with pytest.raises(ArchiveError, match=text) as caught:
        read(server)
    assert caught.value.where == server.url("part")


def test_a_file_that_nothing_identifies_is_continued_only_under_a_digest(server: Server) -> None:
    server.etag = ""
    server.faults = [Fault(cut=1000)]
    with pytest.raises(ArchiveError, match=r"nothing shows that the file is still the same.*SHA-256"):
        read(server)
    server.faults = [Fault(cut=1000)]
    assert read(server, expected=Expected(sha256=SHA256))[0] == DATA


def test_a_weak_etag_identifies_nothing_but_a_date_does(server: Server) -> None:
    server.etag = 'W/"1"'
    server.faults = [Fault(cut=1000)]
    with pytest.raises(ArchiveError, match="nothing shows"):
        read(server)
    server.headers["Last-Modified"] = "Sun, 29 Nov 2026 10:00:00 GMT"
    server.faults = [Fault(cut=1000), Fault(ignores_if_range=True)]
    assert read(server)[0] == DATA


@pytest.mark.parametrize("expected", [Expected(size=len(DATA) + 1), Expected(size=len(DATA) - 1)])
def test_another_size_is_told_before_the_first_byte(server: Server, expected: Expected) -> None:
    with pytest.raises(ArchiveError, match="another size than expected"):
        open_stream(server.url("part"), expected=expected, policy=HASTE)


@pytest.mark.parametrize(
    ("size", "text"), [(len(DATA) + 1, "3 attempts"), (len(DATA) - 1, "has more bytes than expected")]
)
def test_short_and_long_answers_without_a_length(server: Server, size: int, text: str) -> None:
    server.always = Fault(unsized=True, ranges="ignored")
    with pytest.raises(ArchiveError, match=text):
        read(server, expected=Expected(size=size))


@pytest.mark.parametrize("expected", [Expected(sha256="0" * 64), Expected(md5="0" * 32)])
def test_another_digest_is_told_by_the_last_read(server: Server, expected: Expected) -> None:
    message = r"is not the published file: its (SHA256|MD5) differs; expected 0+; found [0-9a-f]+\."
    with open_stream(server.url("part"), expected=expected, policy=HASTE) as stream:
        read = b""
        while len(read) < len(DATA):
            read += stream.read(1 << 20)
        assert read == DATA
        for _ in range(2):
            with pytest.raises(ArchiveError, match=message):
                stream.read(1)
        assert stream.verified == ()


def test_the_md5_that_a_store_states_is_compared(server: Server) -> None:
    server.headers["x-amz-request-id"] = "1"
    server.etag = f'"{MD5}"'
    assert read(server)[1].verified == ("md5",)
    server.etag = f'"{"0" * 32}"'
    with pytest.raises(ArchiveError, match="its MD5 differs"):
        read(server)
    with pytest.raises(ArchiveError, match="its MD5 differs"):
        open_stream(server.url("part"), expected=Expected(md5=MD5), policy=HASTE)
    assert len(server.requests) == 3


def test_a_later_reading_starts_in_the_middle(server: Server) -> None:
    data, stream = read(server, start=20_000, identity='"1"', expected=Expected(len(DATA), SHA256))
    assert data == DATA[20_000:]
    assert stream.position == len(DATA)
    assert stream.verified == ("size",)
    assert ranges(server) == ["bytes=20000-"]
    with pytest.raises(ArchiveError, match="has changed since its beginning was read"):
        read(server, start=20_000, identity='"0"')
    with pytest.raises(ArchiveError, match="ends before the byte"):
        read(server, start=len(DATA) + 1)


def test_the_end_is_the_end_also_if_the_connection_stalls_behind_it(server: Server) -> None:
    server.faults = [Fault(unsized=True, stall_s=60)]
    assert read(server, expected=Expected(size=len(DATA)))[0] == DATA
    assert len(server.requests) == 1


@pytest.mark.parametrize("address", ["http://", "http://h\0st/part"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ArchiveError, match=r"could not be fetched|is no address") as caught:
        open_stream(address, policy=HASTE)
    assert caught.value.where == address


def test_a_signature_in_an_address_is_not_shown(server: Server) -> None:
    server.always = Fault(status=403)
    with pytest.raises(ArchiveError) as caught:
        open_stream(server.url("part?Signature=secret"), policy=HASTE)
    assert "secret" not in str(caught.value)
    assert server.requests[0][0] == "part?Signature=secret"


def test_no_server_at_all() -> None:
    with pytest.raises(ArchiveError, match="could not be read in 3 attempts"):
        open_stream("http://127.0.0.1:9/part", policy=HASTE)


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(0, 2_500), st.sampled_from(["honoured", "ignored"])), max_size=6),
    st.integers(100, 700),
)
def test_any_cuts_give_the_same_bytes(cuts: list[tuple[int, str]], size: int) -> None:
    data = DATA[:2_000]
    faults = [Fault(cut=cut, ranges=how) for cut, how in cuts]  # type: ignore[arg-type]
    SHARED.files, SHARED.faults = {"part": data}, faults
    patient = RetryPolicy(timeout_s=5, attempts=10, pause_s=0)
    read = b""
    with open_stream(SHARED.url("part"), policy=patient) as stream:
        while more := stream.read(size):
            read += more
            assert stream.position == len(read)
    assert read == data


SHARED = Server()


@pytest.fixture(scope="module", autouse=True)
def _shared() -> object:
    """One server for all examples of a property."""
    with serving() as server:
        globals()["SHARED"] = server
        yield


def test_a_limit_of_bandwidth_is_a_bucket_of_one_second() -> None:
    limit = BandwidthLimit(1000)
    assert limit.take(1000, now_s=50.0) == 0
    assert limit.take(500, now_s=50.0) == pytest.approx(0.5)
    assert limit.take(500, now_s=50.5) == pytest.approx(0.5)
    assert limit.take(1000, now_s=90.0) == 0  # idle time is not saved up for longer
    assert limit.take(1, now_s=90.0) == pytest.approx(0.001)


@given(st.lists(st.tuples(st.integers(1, 5_000), st.floats(0, 2)), min_size=1))
def test_no_more_than_the_limit_ever_passes(takes: list[tuple[int, float]]) -> None:
    limit, now, total, begin = BandwidthLimit(1000), 10.0, 0, 10.0
    for count, pause in takes:
        now += pause + limit.take(count, now_s=now)
        total += count
        assert total <= 1000 * (now - begin + 1) + 5_000 + 1e-3


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_limit_is_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="bytes per second"):
        BandwidthLimit(rate)


def test_streams_share_a_limit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(ByteStream, "_wait", lambda _, seconds: waits.append(seconds))
    limit = BandwidthLimit(10_000)
    for _ in range(2):
        with open_stream(server.url("part"), policy=HASTE, limiter=limit) as stream:
            assert stream.readall() == DATA
    assert max(waits) == pytest.approx(9.0, abs=0.5)  # 100 kB at 10 kB/s, of which one second was saved up


@pytest.mark.parametrize("begun", [False, True])
def test_a_stream_that_waits_can_be_ended_by_another_thread(server: Server, begun: bool) -> None:
    server.faults = [Fault(cut=1000) if begun else Fault(status=500)]
    patient = RetryPolicy(timeout_s=5, attempts=3, pause_s=60)
    ended = threading.Event()
    ending = threading.Timer(0.1, ended.set)
    ending.start()
    begin = time.monotonic()
    with pytest.raises(ArchiveError, match="was interrupted"):
        open_stream(server.url("part"), policy=patient, ended=ended).readall()
    ending.join()
    assert time.monotonic() - begin < 10
    with pytest.raises(ArchiveError, match="was interrupted"):
        open_stream(server.url("part"), ended=ended)
