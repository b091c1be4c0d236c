"""The scenarios there are, in the order of the report's sections."""

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
"""Name → "module:attribute", which stands for two objects: in this folder the `ScenarioType`, in
`bench/scenarios/` how the scenario is measured."""


def scenario_type(name: str) -> ScenarioType:
    """The declaration of a scenario. Raises KeyError for an unknown name."""
    module, _, attribute = SCENARIOS[name].partition(":")
    return cast(ScenarioType, getattr(import_module(f"{__package__}.{module}"), attribute))
