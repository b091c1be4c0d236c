"""Events to an MQTT broker, as home automation listens to them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import BackendUnavailable, UsageError
from ..events import ActionEvent
from .address import Address, parse_address

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

ROOT = "actionbench"
"""First level of all topics."""

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""Scheme → its port; mqtts is encrypted, and the broker's certificate is checked."""

MOST_WAITING = 1000
"""Events that wait while the broker is away, at most."""

_MOST_BYTES = 65_535  # of a text in the protocol: MQTT 3.1.1, 1.5.3

CLOSING_S = 2.0
"""Seconds that the end of a session waits until the broker has the last messages."""


LONGEST_NAME = 200
"""Characters of a camera's name; those of a topic are limited by the protocol."""


def broker_address(address: str, name: str) -> Address:
    """The address of a broker; `address`, `name`: as of `Mqtt`, also for the errors."""
    broker = parse_address("--mqtt", address, PORTS)
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or set(name) & set("/+#"):
        raise UsageError(
            "cannot be part of a topic",
            where="--mqtt-name",
            expected=f"1 to {LONGEST_NAME} printable characters, none of them `/`, `+` or `#`",
            found=repr(name[:LONGEST_NAME]),
        )
    _require_sendable(broker)
    if importlib.util.find_spec("paho") is None:
        raise BackendUnavailable("needs paho-mqtt", where="--mqtt", remedy="pip install 'actionbench[live]'")
    return broker


def _require_sendable(broker: Address) -> None:
    """Raise UsageError for a host, user or password that the client, in a thread of its own, fails at."""
    try:
        broker.host.encode("idna")
        texts = [(each or "").encode() for each in (broker.user, broker.password)]
    except UnicodeError:
        texts = None
    if texts is None or any(b"\0" in each or len(each) > _MOST_BYTES for each in texts):
        raise UsageError(
            "is not an address that can be used",
            where="--mqtt",
            expected="a host name of parts with 1 to 63 characters; user and password without NUL, at most "
            f"{_MOST_BYTES} bytes each",
        )


class Mqtt:
    """Publishes events, and whether the session is there; reconnects by itself and delays nobody.

    Topics: `actionbench/NAME/event` (an event's JSON, see `ActionEvent`) and `actionbench/NAME/availability`
    (online or offline, retained; the broker itself says offline where the session is lost).

    - `address`: `mqtt://[user:password@]host[:port]`, or mqtts.
    - `name`: of the camera or place.
    - `labels`: classes whose events are published; None for all.
    - `say`: is told, from another thread, when the broker refuses, is lost, or cannot be reached at first.

    `given_up` counts events that found the queue full.

    Raises UsageError for an address or a name that cannot be used, BackendUnavailable without paho-mqtt.
    """

    def __init__(
        self, address: str, name: str, labels: Collection[str] | None, say: Callable[[str], None]
    ) -> None:
        broker = broker_address(address, name)
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._labels, self._say, self._broker = labels, say, f"broker {broker.public}"
        self._event_topic = f"{ROOT}/{name}/event"
        self._availability = f"{ROOT}/{name}/availability"
        self._last: MQTTMessageInfo | None = None
        self._told = False
        self.given_up = 0
        self._client = Client(CallbackAPIVersion.VERSION2)
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(self._availability, "offline", qos=1, retain=True)
        self._client.max_queued_messages_set(MOST_WAITING)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_connect_fail = self._unreachable
        self._client.connect_async(broker.host, broker.port)
        self._client.loop_start()

    def _connected(
        self,
        client: Client,
        userdata: object,  # noqa: ARG002
        flags: ConnectFlags,  # noqa: ARG002
        reason: ReasonCode,
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        if reason.is_failure:
            self._say(f"{self._broker}: refuses: {reason}")
        else:
            self._told = False
            client.publish(self._availability, "online", qos=1, retain=True)

    def _disconnected(
        self,
        client: Client,  # noqa: ARG002
        userdata: object,  # noqa: ARG002
        flags: DisconnectFlags,  # noqa: ARG002
        reason: ReasonCode,
        properties: Properties | None,  # noqa: ARG002
    ) -> None:
        if reason.is_failure:
            self._told = True
            self._say(f"{self._broker}: connection lost: {reason}")

    def _unreachable(self, client: Client, userdata: object) -> None:  # noqa: ARG002
        if not self._told:
            self._told = True
            self._say(f"{self._broker}: cannot be reached; it is tried again")

    def event(self, event: ActionEvent) -> None:
        """Publish the event, or keep it until the broker is there; returns at once."""
        from paho.mqtt.enums import MQTTErrorCode

        if self._labels is not None and event.label not in self._labels:
            return
        self._last = self._client.publish(self._event_topic, event.to_json(), qos=1)
        self.given_up += self._last.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE

    def close(self) -> None:
        """Say offline, and wait up to `CLOSING_S` for the broker."""
        if self._client.is_connected():
            last = self._client.publish(self._availability, "offline", qos=1, retain=True)
            with suppress(RuntimeError, ValueError):  # lost meanwhile: the broker says offline by itself
                last.wait_for_publish(CLOSING_S)
        elif self._last is not None:
            self._say(f"{self._broker}: not there at the end: events may not have been delivered")
        if self.given_up:
            self._say(f"{self._broker}: {self.given_up} events were given up")
        self._client.disconnect()
        self._client.loop_stop()
