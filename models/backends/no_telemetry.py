"""Import this before OpenVINO or NNCF: it disables their telemetry.

Where the package `openvino_telemetry` can be imported, `import openvino` alone sends a message over the
network and writes an identifier of the machine into the user's home. Both work without the package.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: importing it fails
