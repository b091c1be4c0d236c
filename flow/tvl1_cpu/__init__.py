"""TV-L1 on the CPU, in numba: every step of it compiled, pairs of frames in parallel."""
