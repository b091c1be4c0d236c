"""What `make gate` compares in two commits: decoding a video and TV-L1 between its frames.

Both arms run this one file, of the working tree, each with its own ActionBench. A time is CPU time: on a
machine whose cores other programs use too, wall time needs more turns than fit into four minutes. No network
is loaded, so a process is ready in a second or two.
"""

import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.flow.registry import get_method

HEIGHT, WIDTH = 240, 320
FRAMES = 150
"""Of the video; all are decoded."""

PAIRS = 5
"""Of adjacent frames that flow is computed between, which takes as long as decoding."""


def write_video(path: Path) -> None:
    """A seeded pattern that moves, in H.264."""
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8)
    picture = np.kron(noise, np.ones((16, 16, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for shift in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, (shift, 2 * shift), axis=(0, 1)), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def main() -> None:
    flow = get_method("tvl1-fast")
    with TemporaryDirectory() as folder:
        video = Path(folder) / "video.mp4"
        write_video(video)

        def turn() -> dict[str, object]:
            begin, cpu = time.perf_counter(), time.process_time()
            with read_frames(Clip(video.name, video)) as reader:
                frames = [frame[:, :, 1].copy() for frame in reader]
            decoded = time.process_time()
            for previous, following in pairwise(frames[: PAIRS + 1]):
                flow(previous, following)
            end = time.process_time()
            stages = {"decode_cpu": decoded - cpu, "flow_cpu": end - decoded}
            return {"stages_s": stages, "total_s": time.perf_counter() - begin, "cpu_s": end - cpu}

        turn()  # warm
        print('{"ready": {}}', flush=True)
        for _ in sys.stdin:
            print(json.dumps(turn()), flush=True)


if __name__ == "__main__":
    main()
