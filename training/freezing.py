"""Freezing a network from the front: whose weights stay, and whose batch norms keep their statistics."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..errors import UsageError


def freeze(net: Any, trained_blocks: int | None, batch_norm: str) -> tuple[nn.Module, ...]:
    """Freeze all blocks of a trainable network but the last `trained_blocks` (None: none is frozen).

    Returns the modules that have to stay in evaluation mode in training. Raises UsageError if the network has
    fewer blocks.

    - `batch_norm`: of `config.BATCH_NORMS`.
    """
    blocks: list[tuple[str, nn.Module]] = net.blocks()
    frozen = blocks[: len(blocks) - trained_blocks] if trained_blocks is not None else []
    if trained_blocks is not None and trained_blocks > len(blocks):
        raise UsageError(
            "trains more blocks than there are",
            where=f"--train last:{trained_blocks}",
            expected=f"at most {len(blocks)}: {', '.join(name for name, _ in blocks)}",
        )
    for _, block in frozen:
        block.requires_grad_(False)
    kept = {"frozen": frozen, "fixed": blocks, "moving": []}[batch_norm]
    return tuple(
        module
        for _, block in kept
        for module in block.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    )
