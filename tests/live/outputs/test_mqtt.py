"""What a broker gets: a minimal one on the loopback, which reads the packets of MQTT 3.1.1 by itself."""

from __future__ import annotations

import queue
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from actionbench.errors import UsageError
from actionbench.live.events import ActionEvent
from actionbench.live.outputs.mqtt import Mqtt
from actionbench.parsing import parse_json
from actionbench.typed_values import typed

from ..making import event

CONNECT, PUBLISH, DISCONNECT = 1, 3, 14


@dataclass
class Broker:
    """What came: (type of the packet, flags, its body)."""

    port: int
    packets: queue.Queue[tuple[int, int, bytes]] = field(default_factory=queue.Queue)

    def published(self) -> tuple[str, bytes, bool]:
        """Topic, payload and whether it is retained, of the next publication."""
        kind, flags, body = self.packets.get(timeout=10)
        assert (kind, flags & 6) == (PUBLISH, 2)  # at least once
        length = struct.unpack(">H", body[:2])[0]
        return body[2 : 2 + length].decode(), body[4 + length :], bool(flags & 1)


def read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def serve(connection: socket.socket, broker: Broker) -> None:
    while True:
        (first,) = read(connection, 1)
        length = shift = 0
        while True:
            (digit,) = read(connection, 1)
            length |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                break
        body = read(connection, length)
        broker.packets.put((first >> 4, first & 15, body))
        if first >> 4 == CONNECT:
            connection.sendall(b"\x20\x02\x00\x00")
        elif first >> 4 == PUBLISH:
            topic = struct.unpack(">H", body[:2])[0]
            connection.sendall(b"\x40\x02" + body[2 + topic : 4 + topic])


@contextmanager
def brokering() -> Iterator[Broker]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        broker = Broker(listening.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection, suppress(ConnectionError):
                    serve(connection, broker)

        thread = threading.Thread(target=accept)
        thread.start()
        yield broker
        thread.join(10)


def test_events_and_availability_come_with_a_last_will() -> None:
    said: list[str] = []
    with brokering() as broker:
        output = Mqtt(f"mqtt://me:secret@127.0.0.1:{broker.port}", "hall", ("falling",), said.append)
        kind, _, body = broker.packets.get(timeout=10)
        assert kind == CONNECT
        assert b"actionbench/hall/availability" in body
        assert b"offline" in body
        assert body.endswith(b"\x00\x02me\x00\x06secret")
        assert broker.published() == ("actionbench/hall/availability", b"online", True)
        sent = [event("start"), event("update"), event("end"), event("cleared")]
        for each in [*sent, event(label="running")]:
            output.event(each)
        for each in sent:
            topic, payload, retained = broker.published()
            assert (topic, retained) == ("actionbench/hall/event", False)
            assert typed(ActionEvent, parse_json(payload)) == each
        output.close()
        assert broker.published() == ("actionbench/hall/availability", b"offline", True)
        assert broker.packets.get(timeout=10)[0] == DISCONNECT
    assert said == []


# paho leaves a socket whose handshake has failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_password_goes_to_a_broker_with_a_known_certificate_only(
    own_certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = own_certificate
    for trusted in (False, True):
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with socket.create_server(("localhost", 0)) as server:
            came: queue.Queue[bytes] = queue.Queue()

            def serve_once(server: socket.socket = server, came: queue.Queue[bytes] = came) -> None:
                data = b""
                with (
                    server.accept()[0] as plain,
                    suppress(OSError),
                    context.wrap_socket(plain, server_side=True) as connection,
                ):
                    data = connection.recv(1000)
                came.put(data)

            threading.Thread(target=serve_once).start()
            mqtt = Mqtt(f"mqtts://me:s3cret@localhost:{server.getsockname()[1]}", "x", None, lambda _: None)
            assert (b"s3cret" in came.get(timeout=20)) == trusted
            mqtt.close()


def test_a_broker_that_is_not_there_keeps_nobody_waiting() -> None:
    said: queue.Queue[str] = queue.Queue()
    output = Mqtt("mqtt://127.0.0.1:9", "hall", None, said.put)
    output.event(event())
    told = said.get(timeout=10)
    output.close()
    assert [told, said.get_nowait()] == [
        "broker mqtt://127.0.0.1:9: cannot be reached; it is tried again",
        "broker mqtt://127.0.0.1:9: not there at the end: events may not have been delivered",
    ]


def test_other_addresses_are_refused() -> None:
    with pytest.raises(UsageError, match="--mqtt: is not an address"):
        Mqtt("http://x.org", "hall", None, print)


@pytest.mark.parametrize("name", ["", "a/b", "#", "+", "a\nb", "a\0b", "\x1b[2J", "\ud800", "x" * 201])
def test_a_name_must_be_one_level_of_a_topic(name: str) -> None:
    with pytest.raises(UsageError, match="--mqtt-name: cannot be part of a topic"):
        Mqtt("mqtt://x.org", name, None, print)


@pytest.mark.parametrize(
    "address",
    ["mqtt://" + "x" * 64, "mqtt://me:a%00b@x.org", f"mqtt://me:{'x' * 65536}@x.org", "mqtt://a..b"],
    ids=["long part", "NUL", "long password", "empty part"],
)
def test_what_the_client_would_fail_at_is_refused_before_the_session(address: str) -> None:
    with pytest.raises(UsageError, match="--mqtt: is not an address that can be used"):
        Mqtt(address, "hall", None, print)
