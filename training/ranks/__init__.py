"""A training in several processes: which of them this one is, what they do together, how they are started."""
