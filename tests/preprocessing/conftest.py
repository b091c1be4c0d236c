"""The harness' small videos and network serve here too."""

from ..bench.conftest import coloured_videos, tiny_module

__all__ = ["coloured_videos", "tiny_module"]
