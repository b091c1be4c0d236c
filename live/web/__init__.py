"""A local web page of a running session: the picture, what is recognised, and how old it is."""
