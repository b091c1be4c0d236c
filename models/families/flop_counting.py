"""Multiply–accumulates and parameters of torch modules, counted on the network as it is built.

On torch's meta device: tensors have shapes and no numbers, so that counting costs neither memory nor time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..transforms import Triple

Build = Callable[[int], torch.nn.Module]
"""From the number of classes to a module that maps (N, 3, T, H, W) to logits. To be counted quickly a second
time it has to be the same object: a function of a module, or what its model keeps."""


def macs(build: Build, streams: Mapping[str, Triple], classes: int) -> int:
    """Multiply–accumulates of one view; taps on padding are counted, as convolutions compute them.

    - `build`: see `Build`; it is called with the meta device as torch's default.
    - `streams`: "rgb" → (T, H, W) of its input.
    - `classes`: number of classes.

    Counted are convolutions, products of matrices and attention (`torch.utils.flop_counter`): not norms,
    activations, pools and sums.
    """
    return _macs(build, streams["rgb"], classes)


# Once for each shape of a run, whose clips may all have another number of frames.
@lru_cache(maxsize=256)
def _macs(build: Build, shape: Triple, classes: int) -> int:
    net = _on_meta(build, classes)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        net(torch.empty(1, 3, *shape, device="meta"))
    # It counts a multiplication and an addition as two.
    return counter.get_total_flops() // 2


@lru_cache(maxsize=16)
def parameters(build: Build, classes: int) -> int:
    """Trainable parameters. Parameters are those of `macs`."""
    return sum(each.numel() for each in _on_meta(build, classes).parameters() if each.requires_grad)


@lru_cache(maxsize=2)
def _on_meta(build: Build, classes: int) -> torch.nn.Module:
    with torch.device("meta"):
        return build(classes).eval()
