"""Archives of videos as streams: read from their first byte to their last, members picked as they pass."""
