"""Detectors of persons in pictures: what `--people` names."""
