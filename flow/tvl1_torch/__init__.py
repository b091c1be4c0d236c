"""TV-L1 in PyTorch, batched over pairs of frames: the schedules of the CPU engine, on GPUs."""
