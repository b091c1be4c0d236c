"""Options of commands that are settings of a run, made from the declarations of the settings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args

import typer
from typer.models import ArgumentInfo

from ...settings import PAIRS, WEIGHTS, Setting, key_values
from ..plan.config import SETTINGS

_REPEATABLE = {PAIRS, WEIGHTS}


def with_settings(
    *names: str,
    of: Mapping[str, Setting] = SETTINGS,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives a command the options of settings.

    - `names`: names of the settings; without one, all of them.
    - `of`: name → setting of the record that they belong to (`settings_of`); by default those of `bench run`.
      Where a command has another default, or text of the help, it gives another `Setting`.

    The command takes the context, and gets their values from `given_settings`.
    """
    chosen = [of[name] for name in names or of]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(function, eval_str=True).parameters

        @functools.wraps(function)
        def command(**arguments: Any) -> Any:
            return function(**{name: value for name, value in arguments.items() if name in own})

        options = [_option(each) for each in chosen]
        first = [p for p in own.values() if p.annotation is typer.Context or _is_argument(p)]
        others = [p for p in own.values() if p not in first]
        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*first, *options, *others)]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def given_settings(context: typer.Context, of: Mapping[str, Setting] = SETTINGS) -> dict[str, Any]:
    """Name → plain value of the settings that are given on the command line; `of`: see `with_settings`."""
    given = {name: value for name, value in context.params.items() if name in of and is_given(context, name)}
    return {
        name: key_values(name, value) if of[name].kind in _REPEATABLE else value
        for name, value in given.items()
    }


def is_given(context: typer.Context, name: str) -> bool:
    """Whether the parameter `name` is given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _option(setting: Setting) -> inspect.Parameter:
    shown = None if setting.default is None else setting.kind.as_text(setting.default)
    option = typer.Option(help=setting.help, metavar=setting.kind.metavar)
    annotation: Any = Annotated[setting.kind.option, option]
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=shown, annotation=annotation
    )


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(each, ArgumentInfo) for each in get_args(parameter.annotation))
