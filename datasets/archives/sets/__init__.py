"""Published sets of videos in archives: what is wanted of them, and how it is delivered."""
