"""Names for models, flow methods and sources of clips: one registry, one set of errors."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from actionbench import registry
from actionbench.datasets.sources.registry import load_clips
from actionbench.errors import BackendUnavailable, UsageError
from actionbench.flow.registry import get_method
from actionbench.models.registry import find_model

ASKED: dict[str, tuple[str, Callable[[str], object], str]] = {
    "model": ("actionbench.models", find_model, "i3d"),
    "flow method": ("actionbench.flow", get_method, "dis"),
    "source of clips": ("actionbench.sources", lambda name: load_clips(f"{name}:x", vocabulary=()), "folder"),
}
"""Kind → group of its entry points, what asks for a name, a name of ours."""

each_kind = pytest.mark.parametrize("kind", ASKED)


@pytest.fixture
def provide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[EntryPoint], None]:
    """Function that makes an entry point look installed; modules of `tmp_path` can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def one(point: EntryPoint) -> None:
        monkeypatch.setattr(registry, "added", lambda group: (point,) if group == point.group else ())

    return one


@each_kind
def test_a_name_means_one_function(kind: str, provide: Callable[[EntryPoint], None]) -> None:
    group, ask, ours = ASKED[kind]
    provide(EntryPoint(ours, "other_package:other", group))
    with pytest.raises(
        UsageError, match=f"the {kind} '{ours}' is provided twice; found actionbench.*and other"
    ):
        ask(ours)


@each_kind
@pytest.mark.parametrize(
    ("text", "value", "says"),
    [
        (None, "no_such_package:mine", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("", "provided_1:mine", "AttributeError: .*'mine'"),
        ("raise OSError('lib.so: cannot open')", "provided_2:mine", "OSError: lib.so: cannot open"),
        ("def mine(:", "provided_3:mine", "SyntaxError"),
        ("mine = 3", "provided_4:mine", "TypeError: 3 is not a function"),
        (None, "not a reference", "AttributeError|ValueError"),
    ],
)
def test_one_that_cannot_be_loaded_is_an_error_that_names_it(
    kind: str,
    text: str | None,
    value: str,
    says: str,
    provide: Callable[[EntryPoint], None],
    tmp_path: Path,
) -> None:
    group, ask, _ = ASKED[kind]
    if text is not None:
        (tmp_path / f"{value.partition(':')[0]}.py").write_text(text)
    provide(EntryPoint("mine", value, group))
    with pytest.raises(BackendUnavailable, match=f"(?s){value}: the {kind} 'mine' cannot be loaded.*{says}"):
        ask("mine")


@each_kind
def test_near_names_are_suggested(kind: str) -> None:
    _, ask, ours = ASKED[kind]
    with pytest.raises(UsageError, match=f"unknown {kind} '{ours}x'. Did you mean: .*{ours}"):
        ask(f"{ours}x")
