"""What viewers get, and that none of them can hold up the session."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack, closing

import cv2
import numpy as np
import pytest
import uvicorn

from actionbench.errors import MeasurementError
from actionbench.live.dispatch import Dispatcher
from actionbench.live.frame import Frame
from actionbench.live.web import address, app, picture, server, state
from actionbench.live.web.address import WebAddress
from actionbench.live.web.server import CLOSING_S
from actionbench.tests.live.making import person
from actionbench.tests.live.web.fake_session import HEADER, FakeSession

WIDE = tuple(f"{n:02}" * 500 for n in range(40))
"""Classes with names of which a single label's scores take 40 kB."""


def test_one_who_joins_late_gets_the_history(session: FakeSession) -> None:
    for _ in range(3):
        session.decide(0.9, 0.1, 0.0, label="falling")
    session.frame()
    session.event("a", "start", "falling", 0.0, None)
    session.event("a", "end", "falling", 0.0, 0.2)
    session.event("b", "start", "walking", 0.3, None)
    with session.viewer() as viewer:
        message = viewer.message()
        assert message["about"]["source"] == HEADER.source
        assert message["about"]["no_action"] == HEADER.no_action
        # A class of a probability below LEAST_SCORE is left out.
        assert message["points"] == [[n / 10, {"falling": 0.9, "walking": 0.1}] for n in range(3)]
        assert [(event["id"], event["state"], event["until_s"]) for event in message["events"]] == [
            ("a", "end", 0.2),
            ("b", "start", 1.3),
        ]
        assert message["now"]["label"] == "falling"
        assert message["now"]["age_s"] == 0.12
        assert message["status"]["caveats"] == ["demo weights: the labels mean nothing"]
        # From then on only what is new.
        session.decide(0.0, 0.2, 0.8)
        session.event("b", "cleared", "walking", 0.3, 1.0)
        news = [viewer.message() for _ in range(2)]
        assert "about" not in news[0]
        assert [point for message in news for point in message["points"]] == [
            [0.4, {"walking": 0.2, "other": 0.8}]
        ]
        assert [event["state"] for message in news for event in message["events"]] == ["cleared"]
        assert news[-1]["now"]["label"] is None


def test_before_the_first_frame(session: FakeSession) -> None:
    with session.viewer() as viewer:
        message = viewer.message()
        assert message["now"] is None
        assert message["points"] == message["events"] == []
        # One who hears nothing could not tell whether the connection is lost.
        assert viewer.message()["now"] is None


def test_history_is_bounded(session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "HISTORY_S", 1.0)
    monkeypatch.setattr(state, "MOST_EVENTS", 3)
    for number in range(30):
        session.decide(1.0, 0.0, 0.0)
        session.event(str(number), "end", "falling", number, number + 1.0)
    with session.viewer() as viewer:
        message = viewer.message()
    assert [time_s for time_s, _ in message["points"]] == [n / 10 for n in range(19, 30)]
    assert [event["id"] for event in message["events"]] == ["27", "28", "29"]


def test_control_characters_do_not_reach_the_page() -> None:
    name = "a\u202eb\n\x1b[31m"
    session = FakeSession(labels=(name, "walking", "other"))
    with closing(session.server):
        session.decide(0.9, 0.1, 0.0, label=name)
        session.event("a", "start", name, 0.0, None)
        with session.viewer() as viewer:
            message = viewer.message()
    harmless = "a\ufffdb \ufffd[31m"
    assert message["now"]["label"] == message["events"][0]["label"] == message["now"]["top"][0][0] == harmless
    assert harmless in message["points"][0][1]


def test_messages_come_at_most_ten_times_a_second(session: FakeSession) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            session.decide(0.9, 0.1, 0.0)
            time.sleep(0.005)

    worker = threading.Thread(target=work)
    with session.viewer() as viewer:
        viewer.message()
        worker.start()
        begin = time.monotonic()
        count = points = 0
        while time.monotonic() - begin < 0.55:
            points += len(viewer.message()["points"])
            count += 1
        stop.set()
        worker.join()
    assert count <= 7
    assert points > 2 * count


def test_a_viewer_who_takes_nothing_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "TICK_S", 0.01)
    session = FakeSession(WIDE)
    with closing(session.server), socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        stalled.settimeout(10)
        stalled.connect(("127.0.0.1", session.port))
        stalled.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # About 10 MB, more than the system's buffers hold.
        for _ in range(250):
            session.decide(*[1 / 40] * 40)
            time.sleep(0.001)
        with session.viewer() as viewer:
            assert viewer.message()["now"]["time_s"] == 24.9
        # What it takes now are few messages, which hold each point once.
        times: list[float] = []
        count = 0
        with stalled.makefile("rb") as stream:
            while 24.9 not in times:
                line = stream.readline()
                if line.startswith(b"data: "):
                    times += [time_s for time_s, _ in json.loads(line.removeprefix(b"data: "))["points"]]
                    count += 1
        assert times == [n / 10 for n in range(250)]
        assert count < 200


def test_no_more_viewers_than_there_is_room_for(session: FakeSession) -> None:
    with ExitStack() as stack:
        for _ in range(app.MOST_VIEWERS):
            stack.enter_context(session.viewer()).message()
        answer, body = session.get("/events")
        assert answer.status == 503
        assert b"the most there may be" in body
        assert session.get("/health")[0].status == 200
    wait_for_a_place(session)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such time limit")
def test_persons_are_told_with_their_labels_and_scores_are_the_highest_of_any(session: FakeSession) -> None:
    first = person(1, "falling\x1b", (-0.1, 0.25, 0.5, 0.75), probabilities=(0.75, 0.25, 0.0))
    second = person(2, probabilities=(0.1, 0.3, 0.6))
    session.people(first, second, person(3, watched=False, probabilities=None))
    session.event("a", "start", "falling", 1.0, None, person=1, zone="bed\x1b")
    with session.viewer() as viewer:
        message = viewer.message()
    now = message["now"]
    assert (now["label"], now["person"], now["waiting"]) == ("falling\ufffd", 1, None)
    assert now["people"][0] == {
        "id": 1,
        "box": [-0.1, 0.25, 0.5, 0.75],
        "watched": True,
        "decided": True,
        "label": "falling\ufffd",
        "confidence": 0.75,
    }
    assert [(each["decided"], each["watched"], each["label"]) for each in now["people"][1:]] == [
        (True, True, None),
        (False, False, None),
    ]
    assert message["points"] == [[0.0, {"falling": 0.75, "walking": 0.3, "other": 0.6}]]
    assert (message["events"][0]["person"], message["events"][0]["zone"]) == (1, "bed\ufffd")
    assert message["about"]["people"] is None


def test_one_who_takes_nothing_for_long_loses_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "PATIENCE_S", 1)
    monkeypatch.setattr(app, "MOST_VIEWERS", 1)
    session = FakeSession(WIDE)
    with closing(session.server), socket.socket() as stalled:
        for _ in range(250):
            session.decide(*[1 / 40] * 40)
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        stalled.connect(("127.0.0.1", session.port))
        stalled.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stalled.recv(1)
        assert session.get("/events")[0].status == 503
        wait_for_a_place(session)


def test_silent_connections_do_not_close_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there may be, half of which never end their request; one more page is open all the time."""
    monkeypatch.setattr(server, "SILENT_S", 0.4)
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 8)
    session = FakeSession()
    with closing(session.server), ExitStack() as stack:
        viewer = stack.enter_context(session.viewer())
        viewer.message()
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", session.port))) for _ in range(7)
        ]
        for each in silent[::2]:
            each.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        answer, _ = session.get("/health")
        assert answer.status == 503
        for each in silent:
            each.settimeout(5)
            assert each.recv(1) == b"", "closed by the server"
        session.frame()
        assert session.get("/health")[0].status == 200
        while viewer.message()["now"] is None:
            pass


@pytest.mark.parametrize("ended", [RuntimeError("no luck"), None])
def test_a_server_that_has_ended_is_told_and_the_session_goes_on(
    monkeypatch: pytest.MonkeyPatch, ended: Exception | None
) -> None:
    async def main_loop(_: object) -> None:
        if ended is not None:
            raise ended

    monkeypatch.setattr(uvicorn.Server, "main_loop", main_loop)
    session, said = FakeSession(), list[str]()
    session.server._thread.join(5)
    with pytest.raises(ConnectionRefusedError):
        session.get("/")
    with pytest.raises(MeasurementError, match="the page is not served any more"):
        session.event("a", "start", "falling", 0.0, None)
    dispatcher = Dispatcher([session.server], ("falling",), session.measurements, 2, False, said.append)
    dispatcher.frame(Frame(np.zeros((48, 64, 3), np.uint8), 0, 0.0, 0.0))
    assert dispatcher.close() == ()
    words = f"http://127.0.0.1:{session.port}/: the page is not served any more; found {ended!r}"
    assert said == [f"the output WebServer failed and gets nothing more: {words}"]
    assert said[0] in session.measurements.status().caveats


def wait_for_a_place(session: FakeSession) -> None:
    """Until one more viewer may see the page; the places of those who have left become free."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with session.viewer() as viewer:
            if viewer.answer.status == 200:
                return
        time.sleep(0.05)
    pytest.fail("no place became free")


def test_closing_takes_less_than_a_second_and_tells_the_viewers(session: FakeSession) -> None:
    session.frame()
    number = session.get("/picture")[0].headers["X-Frame-Number"]
    waiting = threading.Thread(target=session.get, args=(f"/picture?after={number}",))
    with session.viewer() as viewer:
        viewer.message()
        waiting.start()
        begin = time.monotonic()
        session.server.close()
        took = time.monotonic() - begin
        last = viewer.message()
        while not last["ended"]:
            last = viewer.message()
        assert viewer.answer.readline() == b""
    waiting.join(5)
    assert took < CLOSING_S
    with pytest.raises(ConnectionRefusedError):
        session.get("/")


def test_closing_does_not_wait_for_one_who_takes_nothing() -> None:
    session = FakeSession(WIDE)
    for _ in range(250):
        session.decide(*[1 / 40] * 40)
    with socket.create_connection(("127.0.0.1", session.port)) as stalled:
        stalled.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stalled.recv(1)
        begin = time.monotonic()
        session.server.close()
        assert time.monotonic() - begin < CLOSING_S + 0.5


def decoded(jpeg: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None
    return image  # type: ignore[no-any-return,unused-ignore]


def test_the_picture_is_the_newest_frame(session: FakeSession) -> None:
    session.frame(value=10)
    session.frame(value=200)
    answer, jpeg = session.get("/picture")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Frame-Number"] == "1"
    assert decoded(jpeg).shape == (48, 64, 3)
    assert abs(int(decoded(jpeg)[0, 0, 0]) - 200) < 3


@pytest.mark.parametrize(
    ("size", "shown"),
    [((1080, 1920), (540, 960)), ((1920, 1080), (960, 540)), ((540, 960), (540, 960)), ((5, 4000), (1, 960))],
)
def test_pictures_are_scaled_down_but_not_up(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert decoded(picture.encode(np.zeros((*size, 3), np.uint8))).shape[:2] == shown


def test_colours_are_kept() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[..., 0] = 255
    red, green, blue = decoded(picture.encode(pixels))[8, 8].astype(int)
    assert red > 240
    assert max(green, blue) < 20


def test_nothing_is_encoded_while_nobody_looks(session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []

    def encode(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
        encoded.append(1)
        return bytes([int(pixels[0, 0, 0])])

    monkeypatch.setattr(picture, "encode", encode)
    with session.viewer() as viewer:
        for _ in range(20):
            session.frame()
        viewer.message()
    assert not encoded
    # Once for all who look.
    first, second = session.get("/picture"), session.get("/picture")
    assert first[1] == second[1]
    assert len(encoded) == 1


def test_pictures_are_encoded_at_a_bounded_rate(session: FakeSession) -> None:
    number, count, begin = "-1", 0, time.monotonic()
    while (spent := time.monotonic() - begin) < 0.5:
        session.frame()
        answer, _ = session.get(f"/picture?after={number}")
        number = answer.headers["X-Frame-Number"]
        count += 1
    # The first two may follow one another at once.
    assert count <= spent * picture.MOST_A_SECOND + 3


def test_a_viewer_waits_for_the_next_picture(session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    session.frame()
    assert session.get("/picture?after=-1")[0].status == 200
    monkeypatch.setattr(picture, "WAIT_S", 0.2)
    assert session.get("/picture?after=0")[0].status == 204
    assert session.get("/picture?after=now")[0].status == 400


def test_there_is_no_picture_before_the_first_frame(
    session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "WAIT_S", 0.2)
    assert session.get("/picture")[0].status == 204


def test_health_is_bad_without_frames(session: FakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    session.frame()
    answer, body = session.get("/health")
    assert (answer.status, json.loads(body)["status"]) == (200, "ok")
    monkeypatch.setattr(app, "NO_FRAMES_AFTER_S", 0.0)
    answer, body = session.get("/health")
    assert (answer.status, json.loads(body)["status"]) == (503, "no frames")


def test_the_address_is_told_with_the_port_in_effect(session: FakeSession) -> None:
    assert session.server.url == f"http://127.0.0.1:{session.port}/"
    assert session.port > 0


def test_over_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6")
    session = FakeSession(address=WebAddress("::1", 0))
    with closing(session.server), socket.create_connection(("::1", session.port)) as client:
        assert session.server.url == f"http://[::1]:{session.port}/"
        client.sendall(f"GET /health HTTP/1.1\r\nHost: [::1]:{session.port}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
