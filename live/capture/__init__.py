"""Where the frames of a live session come from: cameras, files and streams."""
