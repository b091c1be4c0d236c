"""What a network's frozen part makes of clips, computed once and kept on disk.

A feature is found again by the clip (digest of its file, and the stretch), the window (which of the even
ones, or a drawn one: its number and all that is drawn), how its pixels were prepared, and the network with
its weights. Not by the training: folds, seeds and experiments share features. Each is written as it is
computed, so that an extraction which was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...array_cache import ArrayCache
from ...datasets.clip import Clip
from ...models.finetuning.trainable import for_inference
from ..reporting import Reporter
from .windows import Drawing, Windows, seed_of

FORMAT = 1
"""Version of the keys; raised when features of before must not be found any more."""

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Windows of a clip whose features are needed: the even ones (`draw` None), or one that is drawn."""

    clip: Clip
    draw: int | None


@dataclass(slots=True)
class Features:
    """Features of windows, from `cache` or computed by `network`.

    - `network`: a trainable network. `device`: where it computes.
    - `identity`: what network and weights are known by, plain values.
    - `drawing`, `views`: of the drawn and of the even windows.
    """

    cache: ArrayCache
    network: nn.Module
    identity: Mapping[str, Any]
    windows: Windows
    drawing: Drawing
    views: int
    device: torch.device
    _held: dict[str, Vector] = field(default_factory=dict)

    def prepare(self, wanted: Sequence[Wanted], reporter: Reporter) -> None:
        """Have the features of all that is `wanted` at hand, computing those that are on no disk.

        Raises ClipError for a clip that cannot be read; what was computed before is kept.
        """
        keys = {self.key(each): each for each in wanted}
        missing = []
        for key, each in keys.items():
            if key in self._held:
                continue
            found = self.cache.get(key)
            if found is None:
                missing.append((key, each))
            else:
                self._held[key] = found
        if not missing:
            return
        on_cpu = self.device.type == "cpu"
        net = for_inference(self.network) if on_cpu else self.network.to(self.device).eval()
        with reporter.task("features", len(missing)) as progress, torch.inference_mode():
            for key, each in missing:
                self._held[key] = self._computed(net, each)
                self.cache.put(key, self._held[key])
                progress.advance(each.clip.id)

    def _computed(self, net: Any, wanted: Wanted) -> Vector:
        if wanted.draw is None or self.drawing.fixed:
            views = self.views if wanted.draw is None else 1
            inputs: Iterable[torch.Tensor] = self.windows.even(wanted.clip, views)
        else:
            seed = seed_of("draw", wanted.draw, *clip_identity(wanted.clip))
            inputs = [self.windows.drawn(wanted.clip, self.drawing, seed)]
        vectors = [net.features(window[None].to(self.device)).cpu().numpy() for window in inputs]
        return np.concatenate(vectors)

    def drawn(self, clip: Clip, draw: int) -> torch.Tensor:
        """Features (D,) of a drawn window that was prepared."""
        return torch.from_numpy(self._held[self.key(Wanted(clip, draw))][0])

    def even(self, clip: Clip) -> torch.Tensor:
        """Features (V, D) of a clip's even windows that were prepared."""
        return torch.from_numpy(self._held[self.key(Wanted(clip, None))])

    def key(self, wanted: Wanted) -> str:
        """Name of the features in the cache: a sha256, in hex."""
        if wanted.draw is None or self.drawing.fixed:
            window: Any = {"even": self.views if wanted.draw is None else 1}
        else:
            window = {"draw": wanted.draw, "drawing": self.drawing.describe()}
        identity = {
            "format": FORMAT,
            "network": dict(self.identity),
            "clip": clip_identity(wanted.clip),
            "window": window,
            "frames": self.windows.length,
            "preprocessing": {name: str(value) for name, value in asdict(self.windows.how).items()},
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def clip_identity(clip: Clip) -> tuple[Any, ...]:
    """What a clip's frames depend on: its file's digest and its stretch, wherever the file lies."""
    assert clip.sha256 is not None, "a composed set has the digests of its files"
    return clip.sha256, clip.start_s, clip.end_s
