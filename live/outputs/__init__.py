"""Where a live session's pictures and events go."""
