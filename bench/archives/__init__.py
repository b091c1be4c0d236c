"""Runs whose clips come out of archives while they go on."""
