"""How good a classifier of actions is on labelled examples: figures over groups, operating points, charts."""
