"""Makes a `Preparer` for a network: with its flow method, its cache, and the steps left to the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..models.detectors.registry import ChosenDetector, load_detector
from ..models.spec import Network, PixelNetwork, Views, Weights
from .device_flow import shares_device
from .preparer import Preparer


def assemble(
    weights: Mapping[str, Weights],
    views: Views,
    *,
    flow: str | None,
    threads: int,
    window: int | None = None,
    device: str = "cpu",
    networks: Sequence[Network] = (),
    flow_cache: Path | None = None,
    people: ChosenDetector | None = None,
    at_once: int = 1,
    keep_middle: bool = False,
) -> Preparer:
    """The preparer of clips for a network.

    - `weights`: stream → its weights, whose description says how its pixels are prepared.
    - `views`: how a video is cut into views.
    - `flow`: name of the flow method, None if no stream needs flow.
    - `threads`: CPU threads of the flow method and of the detector.
    - `window`: frames of a single window from the middle instead of `views`; None for `views`.
    - `device`: that the flow method computes on, if it supports several.
    - `networks`: that take the input: streams that they normalise themselves stay uint8, and flow that is
      computed on their device stays there. Without any: float32 on the host.
    - `flow_cache`: folder of the flow cache; None for no cache, as always when time is measured.
    - `people`: detector by which the main person is found, of whom the network sees a square; None: it sees
      whole frames.
    - `at_once`: number of clips that persons may be looked for in at the same time.
    - `keep_middle`: keep each clip's middle frame, for the report.

    The flow method compiles its code before this returns. A method that cannot run on this machine is
    replaced by the one that `flow.registry` names, which is noted with every clip. Raises UsageError for an
    unknown method, and as `load_detector` does.
    """
    method, cache, person = None, None, None
    notes: tuple[str, ...] = ()
    if flow is not None:
        from ..flow.method import CompiledFlowMethod
        from ..flow.registry import get_method

        method = get_method(flow, threads, device)
        if isinstance(method, CompiledFlowMethod):
            method.warm_up()  # before any clip is timed, or has a timeout
        if method.name != flow:
            notes = (f"optical flow by `{method.name}` in place of `{flow}`, which cannot run here",)
    if people is not None:
        from .people.main_person import MainPerson

        person = MainPerson(load_detector(people, threads, at_once))
    if flow_cache is not None:
        from ..flow.cache import FlowCache

        cache = FlowCache(flow_cache)
    return Preparer(
        streams={stream: each.description.preprocessing for stream, each in weights.items()},
        views=views,
        single=window,
        flow=method,
        cache=cache,
        notes=notes,
        uint8_streams=frozenset(s for n in networks if isinstance(n, PixelNetwork) for s in n.uint8_streams),
        keep_middle=keep_middle,
        people=person,
        on_device=bool(networks) and cache is None and all(shares_device(method, n) for n in networks),
    )
