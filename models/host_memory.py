"""The host's memory, for frameworks that ask for it anew in every operation."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Parameters of glibc's mallopt(3), as malloc.h numbers them."""


def keep_freed_memory() -> None:
    """Have malloc keep large blocks that are freed, and give them out again.

    glibc gives them back to the kernel, and each page of the next one costs a page fault: a fifth of what
    I3D takes in torch (docs/backends.md). Holds for the whole process, whose memory does not shrink any
    more. Does nothing with another C library.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    # -1: freed memory at the heap's end is never given back. No block is mapped by itself, and threads share
    # the one heap that can hold a large one.
    mallopt(_TRIM_THRESHOLD, -1)
    mallopt(_MMAP_MAX, 0)
    mallopt(_ARENA_MAX, 1)
