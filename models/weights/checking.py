"""Whether a file that was fetched is the published one, and of the expected format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import WeightsError
from .catalogue import RemoteFile, WeightsSource
from .formats.impostors import refuse_impostor
from .formats.readers import detect_format, read_state
from .record import digest, git_blob


def check_file(path: Path, file: RemoteFile, where: object) -> None:
    """Raise WeightsError unless `path` has the size and the checksums that are known of `file`.

    - `where`: where the file came from, for the message.
    """
    refuse_impostor(path)
    for kind, expected, found in (
        ("size", file.size, path.stat().st_size),
        ("Git blob", file.git_blob, git_blob(path) if file.git_blob else None),
        ("SHA-256", file.sha256, digest([path]) if file.sha256 else None),
    ):
        # Of a digest, the first digits may be all that is published.
        matches = str(found).startswith(expected) if isinstance(expected, str) else expected == found
        if expected is not None and not matches:
            raise WeightsError(
                f"is not the published file: its {kind} differs",
                where=where,
                expected=expected,
                found=found,
                remedy="Fetch it again; if it stays so, the source has changed",
            )


def check_contents(source: WeightsSource, folder: Path) -> None:
    """Raise WeightsError unless the files of `source` in `folder` have the expected format.

    TensorFlow's contain their own CRCs.
    """
    path = folder / source.load
    if source.description is None:
        for file in source.files:
            try:
                np.load(folder / file.name, mmap_mode="r", allow_pickle=False)
            except (ValueError, EOFError) as error:
                raise WeightsError("is not a file of numpy", where=folder / file.name) from error
        return
    expected = source.description.format
    if expected in ("tf1-checkpoint", "safetensors"):
        read_state(path, expected, source.description.stream)
    elif (found := detect_format(path)) != expected:
        raise WeightsError("is of another format", where=path, expected=expected, found=found)
