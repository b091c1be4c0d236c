"""Baselines: simple classifiers in place of a training, which show what a training has to exceed."""
