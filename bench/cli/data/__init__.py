"""`bench data`: what is done with videos before a run."""
