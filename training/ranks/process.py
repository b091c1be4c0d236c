"""One of several processes of a training: `PYTHON -m actionbench.training.ranks.process FOLDER`.

`launch` starts it, with torchrun's variables in its environment. It ends when its standard input is closed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ...child_process import end_with_parent, event_writer, pipe_to_parent
from ...errors import ActionBenchError
from .events import Done, Failed, Sender


def main() -> None:
    send = event_writer(pipe_to_parent())
    end_with_parent()
    from ..finetune import resume

    try:
        resume(Path(sys.argv[1]), Sender(send), devices=int(os.environ["WORLD_SIZE"]), nodes=1)
    except ActionBenchError as error:
        send(Failed(type(error).__name__, str(error)))
    else:
        send(Done())


if __name__ == "__main__":
    main()
