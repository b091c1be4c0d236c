"""ActionBench: which human-action-recognition network can be deployed, on your own hardware."""

__version__ = "0.1.0"
