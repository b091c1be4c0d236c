"""What is fuzzed: a reader of files, with samples of what it reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from actionbench.errors import ActionBenchError

from .mutations import mutated

Files = Mapping[str, bytes]
"""Name → content of the files of an input; the first one is the one that is opened."""

READ, REFUSED = "read", "refused: "

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """A reader.

    - `name`: in the table, and what a campaign is asked for.
    - `make_samples`: function that gives valid inputs.
    - `read`: what a command does with the path of an input's first file, or of its folder where the reader
      takes one.
    - `share`: how many inputs it gets, relative to other targets: fewer where one takes long.
    - `heavy`: whether reading imports a framework, so that the default tests leave it out.
    - `guided`: whether coverage can guide its inputs: they are parsed in Python, and in no other process.
    """

    name: str
    make_samples: Callable[[], Sequence[Files]]
    read: Callable[[Path], object]
    share: float = 1.0
    heavy: bool = False
    guided: bool = True

    @cached_property
    def samples(self) -> Sequence[Files]:
        """Valid inputs, made once."""
        return self.make_samples()


def shared_data() -> Path | None:
    """Folder of real videos and annotations, if it is there; see `tests/conftest.py`."""
    path = Path(os.environ.get("ACTIONBENCH_SHARED_DATA", ROOT.parent / "shared" / "data"))
    return path if path.is_dir() else None


def written(*writers: Callable[[Path], object]) -> list[Files]:
    """An input of each function that writes files into a folder. What is written last is opened."""
    found: list[Files] = []
    for write in writers:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            files.sort(key=lambda path: -path.stat().st_mtime_ns)
            found.append({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})
    return found


def input_of(target: Target, seed: int, number: int) -> Files:
    """An input of a campaign: a sample with one of its files changed, and sometimes another one missing.

    The first inputs are the samples as they are.
    """
    samples = target.samples
    if number < len(samples):
        return samples[number]
    return changed(samples, Random(f"{seed} {target.name} {number}"))


def changed(samples: Sequence[Files], draw: Random) -> Files:
    """One of the samples with one of its files changed."""
    sample = dict(draw.choice(samples))
    name = draw.choice(list(sample))
    same_kind = [
        content
        for each in samples
        for other, content in each.items()
        if Path(other).suffix == Path(name).suffix
    ]
    if len(sample) > 1 and draw.random() < 0.05:
        del sample[draw.choice(list(sample)[1:])]
    if name in sample:
        sample[name] = mutated(name, sample[name], same_kind, draw)
    return sample


def outcome(target: Target, files: Files, folder: Path) -> str:
    """What the reader does with an input, which is put into `folder`: READ, REFUSED and why, or a problem.

    Refused is an input with an error of ours that says where: a file, an option, a value. An `OSError` that
    names a file is shown by the command line in the same way.
    """
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        target.read(folder / next(iter(files)))
    except ActionBenchError as error:
        message = str(error)
        named = error.where is not None or str(folder) in message
        return f"{REFUSED}{message}" if named else f"says not where: {type(error).__name__}: {message[:300]}"
    except OSError as error:
        if error.filename is None:
            raise
        return f"{REFUSED}{error}"
    return READ
