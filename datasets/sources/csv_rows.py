"""Reading CSV files that people wrote or published: lists of clips, of segments, of groups, of tags."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import ClipError

Row = dict[str, str]


def csv_rows(
    path: Path, needed: Sequence[str], what: str, columns: str | None = None
) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """The header of a CSV file, and its lines, each with its number and its fields by column.

    - `needed`: columns that it must have.
    - `what`: what the file is, for errors, e.g. "list of groups".
    - `columns`: for errors, the columns that it can have; None for `needed`.

    A field that a line lacks is empty. Raises ClipError, with file and line, for a file that cannot be read
    or is not text, for a needed column that is missing and a column that occurs twice; while iterating, for a
    line that is not CSV or has more fields than columns.
    """
    text = read_text(path, what)
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="", strict=True)
    try:
        header = list(reader.fieldnames or ())
    except csv.Error as error:
        raise ClipError("not CSV", where=f"{path}:1", found=error) from None
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ClipError(f"column '{twice[0]}' occurs twice", where=f"{path}:1", found=",".join(header))
    if absent := [name for name in needed if name not in header]:
        raise ClipError(
            f"not a {what}: column '{absent[0]}' is missing",
            where=f"{path}:1",
            expected=f"columns {columns or ','.join(needed)}",
            found=",".join(header) or "an empty file",
        )
    return header, _rows(reader, path)


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[tuple[int, Row]]:
    try:
        for row in reader:
            if None in row:  # where `DictReader` puts fields beyond the last column
                raise ClipError("more fields than columns", where=f"{path}:{reader.line_num}")
            yield reader.line_num, row
    except csv.Error as error:
        raise ClipError("not CSV", where=f"{path}:{reader.line_num}", found=error) from None


def read_text(path: Path, what: str) -> str:
    """The text of a file in UTF-8. Raises ClipError if it cannot be read or is not text.

    - `what`: what the file is, for the error.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ClipError(f"no such {what}", where=path) from None
    except OSError as error:
        raise ClipError(f"the {what} cannot be read: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise ClipError("not a text file", where=path, expected="UTF-8") from None
