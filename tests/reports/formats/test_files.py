"""Files that can be made again, and JSON documents."""

from __future__ import annotations

import json
import math
from pathlib import Path

from actionbench.reports.formats.files import json_document, write_files


def test_files_are_written_below_the_folder(tmp_path: Path) -> None:
    write_files(tmp_path / "out", {"a/b.txt": "ä", "c.png": b"\x89PNG"})
    assert (tmp_path / "out" / "a" / "b.txt").read_text(encoding="utf-8") == "ä"
    assert (tmp_path / "out" / "c.png").read_bytes() == b"\x89PNG"


def test_numbers_that_json_does_not_have_are_null() -> None:
    text = json_document({"a": [1.5, math.nan], "b": (math.inf,), 3: "ä"})
    assert json.loads(text) == {"a": [1.5, None], "b": [None], "3": "ä"}
    assert "ä" in text
    assert text.endswith("}\n")


def test_half_of_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "a \u00e9 \ud800.mp4", "b.json": json_document({"name": "\udc80"})})
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "a \u00e9 ?.mp4"
    assert "\ud800" not in (tmp_path / "b.json").read_text(encoding="utf-8")
