"""Persons in a live session: who is in the picture, and where."""
