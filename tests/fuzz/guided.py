"""Inputs that are guided by coverage: `python -m actionbench.tests.fuzz.guided NAME [options of libFuzzer]`.

atheris (`pip install -e '.[fuzz]'`) keeps inputs that reach new lines of our sources and changes them
further: worth its time for what is parsed in Python. An input is all files of a sample as one; it is changed
as the inputs of a campaign are. The first one that fails ends the process and is kept in `fuzz-failures/`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["actionbench"]):
    from .campaign import KEPT, TARGETS
    from .target import READ, REFUSED, Files, outcome

from .mutations import mutated

_MARK = b"\0\xfe\xffFILE\xff\xfe\0"
"""Between the names and contents of the files of an input; no sample has it."""


def packed(files: Files) -> bytes:
    """All files of an input as one."""
    return _MARK.join(part for name, content in files.items() for part in (name.encode(), content))


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files that were packed."""
    parts = data.split(_MARK)
    return {name.decode(): content for name, content in zip(parts[::2], parts[1::2], strict=False)}


def main() -> None:
    """Fuzz one target; libFuzzer prints its counts."""
    target = TARGETS[sys.argv[1]]
    kinds = [(name, content) for files in target.samples for name, content in files.items()]

    def change(data: bytes, most: int, seed: int) -> bytes:
        draw = Random(seed)
        files = unpacked(data) or dict(draw.choice(target.samples))
        name = draw.choice(list(files))
        others = [content for other, content in kinds if Path(other).suffix == Path(name).suffix]
        files[name] = mutated(name, files[name], others, draw)
        made = packed(files)
        return made if len(made) <= most else data

    def one(data: bytes) -> None:
        files = unpacked(data)
        if not files:
            return
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            result = outcome(target, files, Path(folder))
        assert result == READ or result.startswith(REFUSED), result

    with tempfile.TemporaryDirectory(prefix="fuzz-samples-") as corpus:
        for number, files in enumerate(target.samples):
            Path(corpus, str(number)).write_bytes(packed(files))
        KEPT.mkdir(exist_ok=True)
        given = [f"-artifact_prefix={KEPT}/guided-", "-max_len=1000000", "-timeout=600", "-rss_limit_mb=3000"]
        atheris.Setup([sys.argv[0], *given, *sys.argv[2:], corpus], one, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
