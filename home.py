"""The folder where ActionBench keeps what it makes or fetches: weights, demo clips, cached flow."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """The folder named by the environment variable ACTIONBENCH_HOME, else the platform's cache folder.

    It need not exist yet.
    """
    named = os.environ.get("ACTIONBENCH_HOME")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("actionbench")
