"""The host's memory, for frameworks that ask for it anew in every operation."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt(3), as malloc.h numbers them."""


def keep_freed_memory() -> None:
    """Have malloc keep large blocks that are freed, and give them out again.

    glibc gives them back to the kernel, and each page of the next one costs a page fault: a fifth of what
    I3D takes in torch (docs/backends.md). Holds for the whole process, whose memory does not shrink any
    more; for threads beside the main one only if the process has one arena (MALLOC_ARENA_MAX=1 when it
    starts), since others cannot hold large blocks. Does nothing with another C library.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_TRIM_THRESHOLD, -1)  # the heap's free end is never given back
    mallopt(_MMAP_MAX, 0)  # no block is mapped by itself
