"""`python -m actionbench` is `bench`."""

from .bench.cli import main

main()
