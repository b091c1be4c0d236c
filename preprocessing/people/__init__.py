"""Persons first: they are detected and followed, and the network sees each in a crop that holds still."""
