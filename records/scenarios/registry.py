"""All scenarios, in the order of the report's sections."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from .declaration import ScenarioType

SCENARIOS = {
    "latency": "latency:LATENCY",
    "pipelined": "throughput:PIPELINED",
    "throughput": "throughput:THROUGHPUT",
    "stream": "stream:STREAM",
}
"""Name → "module:attribute" of two objects: the `ScenarioType` in this folder, and in `bench/scenarios/` the
`Scenario`, which measures it."""


def scenario_type(name: str) -> ScenarioType:
    """The declaration of a scenario. Raises KeyError for an unknown name."""
    module, _, attribute = SCENARIOS[name].partition(":")
    return cast(ScenarioType, getattr(import_module(f"{__package__}.{module}"), attribute))
