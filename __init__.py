"""ActionBench: which human-action-recognition network can be deployed, on your own hardware.

The Python API is documented in docs/python-api.md. A name of `__all__` is imported when it is first used, so
that `import actionbench` imports no framework, no NumPy and no pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from .bench.api import predict, resume, run
    from .bench.export.export import Exported
    from .bench.plan.config import RunConfig
    from .bench.predict import Prediction
    from .bench.training_api import evaluate, export, finetune
    from .errors import ActionBenchError
    from .records.run_directory import RunDirectory
    from .reports import load as load_run
    from .reports.evaluation.document import EvaluationContents
    from .reports.formats.dataframes import RunDataFrames
    from .training.config import FinetuneConfig

__all__ = [
    "ActionBenchError",
    "EvaluationContents",
    "Exported",
    "FinetuneConfig",
    "Prediction",
    "RunConfig",
    "RunDataFrames",
    "RunDirectory",
    "__version__",
    "evaluate",
    "export",
    "finetune",
    "load_run",
    "predict",
    "resume",
    "run",
]

_HOMES = {
    "ActionBenchError": (".errors", "ActionBenchError"),
    "EvaluationContents": (".reports.evaluation.document", "EvaluationContents"),
    "Exported": (".bench.export.export", "Exported"),
    "FinetuneConfig": (".training.config", "FinetuneConfig"),
    "RunDataFrames": (".reports.formats.dataframes", "RunDataFrames"),
    "Prediction": (".bench.predict", "Prediction"),
    "RunConfig": (".bench.plan.config", "RunConfig"),
    "RunDirectory": (".records.run_directory", "RunDirectory"),
    "evaluate": (".bench.training_api", "evaluate"),
    "export": (".bench.training_api", "export"),
    "finetune": (".bench.training_api", "finetune"),
    "load_run": (".reports", "load"),
    "predict": (".bench.api", "predict"),
    "resume": (".bench.api", "resume"),
    "run": (".bench.api", "run"),
}
"""Name → the module that has it, and what it is called there."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        module, attribute = _HOMES[name]
        return getattr(importlib.import_module(module, __name__), attribute)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
