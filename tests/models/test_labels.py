"""Lists of labels: those that come along, a user's file, a tuple."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.errors import UsageError
from actionbench.models.labels import label_lists, labels


def test_kinetics_lists_have_the_published_facts() -> None:
    assert label_lists() == ("kinetics-400", "kinetics-600")
    four, six = labels("kinetics-400"), labels("kinetics-600")
    assert (len(four), len(six)) == (400, 600)
    assert len(set(four) & set(six)) == 368
    assert four.index("jogging") == 168
    assert "running on treadmill" in four


@pytest.mark.parametrize(("name", "file"), [("kinetics-400", "label_map"), ("kinetics-600", "label_map_600")])
def test_kinetics_lists_are_the_authors(shared_data: Path, name: str, file: str) -> None:
    text = (shared_data / "annotations/kinetics" / f"{file}.txt").read_text(encoding="utf-8")
    assert labels(name) == tuple(text.splitlines())


def test_file_of_labels(text_file: Callable[[str, str], Path]) -> None:
    path = text_file("classes.txt", "# mine\nfalling\n\n  lying still \r\n")
    assert labels(str(path)) == ("falling", "lying still")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"classes\.txt: is not a text file; expected UTF-8"):
        labels(str(tmp_path / "classes.txt"))


def test_tuple_of_labels() -> None:
    assert labels(("a", "b")) == ("a", "b")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("kinetics-40", "unknown list of labels 'kinetics-40'. Did you mean: kinetics-400"),
        ("lost/classes.txt", "lost/classes.txt: there is no such file of labels"),
        ((), "names no class"),
        (("a", "b", "a"), "classes named twice: a"),
    ],
)
def test_wrong_labels(source: str | tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError) as error:
        labels(source)
    assert says in str(error.value)
