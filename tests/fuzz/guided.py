"""Inputs that are guided by coverage: atheris keeps those that reach new branches of our sources.

`python -m actionbench.tests.fuzz.guided SECONDS NAME…` fuzzes the readers of targets, each for so many
seconds; `make fuzz GUIDED=SECONDS` those of all. An input is all files of a sample as one; it is changed as
the inputs of a campaign are, and fails as they do. The first one that fails ends its target and is kept in
`fuzz-failures/`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import traceback
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["actionbench"]):
    from actionbench.atomic import write_file

    from .campaign import KEPT, TARGETS
    from .target import READ, REFUSED, Files, Target, outcome

from .guided_counts import FAILED, Guided, counts, table
from .mutations import mutated
from .watched import LIMIT_BYTES, LIMIT_S, enter, limit_memory, peak_bytes

_MARK = b"\0\xfe\xffFILE\xff\xfe\0"
"""Between the names and contents of the files of an input; no sample has it."""

_LONGEST = 1_000_000
"""Bytes of an input."""


def packed(files: Files) -> bytes:
    """All files of an input as one."""
    return _MARK.join(part for name, content in files.items() for part in (name.encode(), content))


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files that were packed."""
    parts = data.split(_MARK)
    return {name.decode(): content for name, content in zip(parts[::2], parts[1::2], strict=False)}


def fuzzed(target: Target, seconds: int) -> Guided:
    """Fuzz a target for so many seconds, in a child of this process, which has imported everything."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as room:
        said = Path(room, "said.txt")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
                _fuzz(target, seconds, Path(room))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        return counts(said.read_text(errors="replace"), os.waitstatus_to_exitcode(status))


def _fuzz(target: Target, seconds: int, room: Path) -> None:
    """Give this process to libFuzzer, which prints its counts and ends it."""
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
        # Not left to atheris: in a forked process it neither says that on standard error nor keeps the input.
        try:
            with tempfile.TemporaryDirectory(prefix="input-", ignore_cleanup_errors=True) as folder:
                result = outcome(target, files, Path(folder))
            assert result == READ or result.startswith(REFUSED), result
        except Exception as error:
            path = KEPT / f"guided-{hashlib.sha256(data).hexdigest()[:16]}"
            for name, content in files.items():
                write_file(path / name, content)
            print(f"{FAILED}{type(error).__name__}: {error}\nkept in {path}", file=sys.stderr)
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    enter(room)
    samples = room / "samples"
    samples.mkdir()
    for number, files in enumerate(target.samples):
        (samples / str(number)).write_bytes(packed(files))
    KEPT.mkdir(exist_ok=True)
    limit_memory()
    options = [
        f"-artifact_prefix={KEPT}/guided-",
        f"-max_len={_LONGEST}",
        f"-max_total_time={seconds}",
        f"-timeout={LIMIT_S:g}",
        f"-rss_limit_mb={(peak_bytes() + LIMIT_BYTES) >> 20}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(samples)], one, custom_mutator=change)
    atheris.Fuzz()


def main() -> int:
    """Fuzz targets; the exit code, 1 where an input has failed."""
    found = {}
    for name in sys.argv[2:]:
        found[name] = fuzzed(TARGETS[name], int(sys.argv[1]))
        print(f"{name}: {found[name]}", flush=True)
    print(table(found))
    return int(any(each.failure is not None for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
