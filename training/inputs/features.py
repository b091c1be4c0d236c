"""Features: the output of a network's frozen blocks for windows of clips, computed once and kept on disk.

The key of a feature consists of the clip (digest of its file, and the segment), the window (which of the
evenly spaced ones; of a random one its number and the settings by which it is drawn), the preprocessing, how
its main person is found, and the network, its weights and its frozen blocks. It does not depend on the
training: folds, seeds and experiments share features. Each is written when it is computed, so that an
extraction that was killed continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...array_cache import ArrayCache
from ...datasets.clip import Clip
from ...models.finetuning.trainable import for_inference, front
from ..reporting import Reporter
from .windows import Drawing, Windows, seed_of

FORMAT = 1
"""Version of the keys; raised when earlier features must not be used any more."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Windows of a clip whose features are needed: the evenly spaced ones (`draw` None), or a random one."""

    clip: Clip
    draw: int | None


@dataclass(slots=True)
class Features:
    """The input of the last blocks of a network for windows, from `cache` or computed.

    - `network`: a trainable network; its last `trained` blocks are those. `device`: where it computes.
    - `identity`: identifies network and weights; plain values.
    - `drawing`, `views`: of the random and of the evenly spaced windows.

    The memory of the windows' frames holds them too, as far as it has room; the rest is read from the disk
    each time.
    """

    cache: ArrayCache
    network: nn.Module
    trained: int
    identity: Mapping[str, Any]
    windows: Windows
    drawing: Drawing
    views: int
    device: torch.device
    _fast: nn.Module | None = None

    def prepare(self, wanted: Sequence[Wanted], reporter: Reporter) -> None:
        """Have the features of all that is `wanted` on disk, and nothing that they are made by in memory.

        Raises ClipError for a clip that cannot be read; what was computed before is kept.
        """
        keys = {self.key(each): each for each in wanted}
        missing = [(key, each) for key, each in keys.items() if key not in self.cache]
        if not missing:
            return
        with reporter.task("features", len(missing)) as progress:
            for key, each in missing:
                self._keep(key, each)
                progress.advance(each.clip.id)
        self.windows.frames.memory.release()
        self._fast = None  # a copy of the network

    def drawn(self, clip: Clip, draw: int) -> torch.Tensor:
        """Features of a random window, (D,) or (C, T, H, W)."""
        return self._found(Wanted(clip, draw))[0]

    def even(self, clip: Clip) -> torch.Tensor:
        """Features of a clip's evenly spaced windows, (V, D) or (V, C, T, H, W)."""
        return self._found(Wanted(clip, None))

    def _found(self, wanted: Wanted) -> torch.Tensor:
        key = self.key(wanted)
        memory = self.windows.frames.memory
        found = memory.get(key)
        if found is None:
            found = self.cache.get(key)
            # Another process, or a bound that is smaller than the set, may have removed it.
            found = self._keep(key, wanted) if found is None else found
            memory.hold(key, found)
        return torch.from_numpy(found)

    @torch.inference_mode()
    def _keep(self, key: str, wanted: Wanted) -> Values:
        if wanted.draw is None or self.drawing.fixed:
            views = self.views if wanted.draw is None else 1
            inputs: Iterable[torch.Tensor] = self.windows.even(wanted.clip, views)
        else:
            seed = seed_of("draw", wanted.draw, *clip_identity(wanted.clip))
            inputs = [self.windows.drawn(wanted.clip, self.drawing, seed)]
        if self._fast is None:
            # Not the network itself: some of its blocks are being trained.
            self._fast = for_inference(self.network, self.device.type == "cpu").to(self.device)
        values = np.concatenate(
            [front(self._fast, each[None].to(self.device), self.trained).cpu().numpy() for each in inputs]
        )
        self.cache.put(key, values)
        return values

    def key(self, wanted: Wanted) -> str:
        """Name of the features in the cache: a sha256, in hex."""
        if wanted.draw is None or self.drawing.fixed:
            window: Any = {"even": self.views if wanted.draw is None else 1}
        else:
            window = {"draw": wanted.draw, "drawing": self.drawing.describe()}
        identity = {
            "format": FORMAT,
            "network": dict(self.identity),
            "trained": self.trained,
            "clip": clip_identity(wanted.clip),
            "window": window,
            "frames": self.windows.length,
            "preprocessing": {name: str(value) for name, value in asdict(self.windows.how).items()},
        }
        if self.windows.frames.people is not None:
            identity["people"] = self.windows.frames.people.describe()
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def clip_identity(clip: Clip) -> tuple[Any, ...]:
    """What a clip's frames depend on: the digest of its file, wherever that is, and its segment."""
    assert clip.sha256 is not None, "a composed set has the digests of its files"
    return clip.sha256, clip.start_s, clip.end_s
