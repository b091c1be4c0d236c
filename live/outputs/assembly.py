"""Makes the outputs of a session from its settings: the one place where they are chosen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..config import LiveConfig
from ..events import SessionHeader
from ..measurements import Measurements
from ..web.address import WebAddress, listen
from .clips import ClipFolder, make_clip_folder
from .json_lines import EventFile
from .mqtt import Mqtt, broker_address
from .output import Output
from .screen import Screen, check_screen
from .video_encoder import available_codec
from .video_file import VideoFile
from .webhook import Webhook, webhook_address


def check_outputs(config: LiveConfig) -> None:
    """Check what can be known of the outputs that `config` asks for, before a network is loaded for them.

    Makes the folder of clips. Raises UsageError or BackendUnavailable as `make_outputs` would later.
    """
    if config.video is not None or config.clips is not None:
        available_codec()
    if config.clips is not None:
        make_clip_folder(Path(config.clips))
    if config.webhook is not None:
        webhook_address(config.webhook)
    if config.mqtt is not None:
        broker_address(config.mqtt, config.place)
    if (address := config.page) is not None:
        listen(address).close()
    if config.show:
        check_screen()


def make_outputs(
    config: LiveConfig,
    header: SessionHeader,
    labels: tuple[str, ...],
    measurements: Measurements,
    say: Callable[[str], None],
    stop: Callable[[], None],
) -> tuple[Output, ...]:
    """The outputs that `config` asks for, opened, in the order in which they are given each frame.

    - `header`: what all events of the session have in common.
    - `labels`: names of the network's classes.
    - `measurements`: of the session.
    - `say`: is told what the user should know, in words. `stop`: ends the session.

    Events on standard output are not among them: the process that shows the session prints those. Raises
    UsageError or BackendUnavailable for one that cannot be opened; those before it are closed.
    """
    chosen = config.alert_labels or None
    makers: list[Callable[[], Output]] = []
    if config.events is not None and config.events != "-":
        makers.append(partial(EventFile, Path(config.events), header))
    if config.video is not None:
        makers.append(partial(VideoFile, Path(config.video)))
    if config.clips is not None:
        makers.append(partial(ClipFolder, Path(config.clips), *config.clip_margins_s, chosen))
    if config.webhook is not None:
        makers.append(partial(Webhook, config.webhook, chosen, say))
    if config.mqtt is not None:
        makers.append(partial(Mqtt, config.mqtt, config.place, chosen, say))
    if (address := config.page) is not None:
        makers.append(partial(_page, address, header, labels, measurements, say))
    if config.show:
        makers.append(partial(Screen, stop))
    outputs: list[Output] = []
    try:
        for make in makers:
            outputs.append(make())  # noqa: PERF401  those that are open are closed where a later one fails
    except BaseException:
        for output in outputs:
            output.close()
        raise
    return tuple(outputs)


def _page(
    address: WebAddress,
    header: SessionHeader,
    labels: tuple[str, ...],
    measurements: Measurements,
    say: Callable[[str], None],
) -> Output:
    from ..web.server import WebServer  # only here: other outputs need no web server

    server = WebServer(address, header, labels, measurements)
    say(f"page: {server.url}")
    return server
