"""Clips in NumPy files."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.sources.arrays import read_inputs, write_frames
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import ClipError, UsageError

FRAMES = np.random.default_rng(0).integers(0, 256, (50, 6, 8, 3), np.uint8)
RGB = np.random.default_rng(1).uniform(-1, 1, (9, 6, 8, 3)).astype(np.float32)
FLOW = RGB[..., :2].copy()


def clip(path: Path, start: float | None = None, end: float | None = None) -> Clip:
    return Clip(path.name, path, start_s=start, end_s=end, source="arrays")


@pytest.mark.parametrize(
    ("rate", "stated"),
    [
        ("30000/1001", Fraction(30000, 1001)),
        (50, Fraction(50)),
        (12.5, Fraction(25, 2)),
        (None, Fraction(25)),
    ],
)
def test_frames_go_the_way_of_video(tmp_path: Path, rate: object, stated: Fraction) -> None:
    path = tmp_path / "a.npz"
    arrays = {"frames": FRAMES} | ({} if rate is None else {"rate": np.array(rate)})
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with read_frames(clip(path)) as reader:
        np.testing.assert_array_equal(np.stack(list(reader)), FRAMES)
        assert reader.native_rate == reader.rate == stated
        assert reader.video_s == pytest.approx(float(50 / stated))
        assert any("no frame rate" in note for note in reader.notes) == (rate is None)
    with read_frames(clip(path), stated / 2) as reader:
        np.testing.assert_array_equal(np.stack(list(reader)), FRAMES[::2])
    assert read_inputs(clip(path)) is None


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(25)])
def test_frames_that_were_written_are_read_again(tmp_path: Path, rate: Fraction) -> None:
    path = tmp_path / "a.npz"
    write_frames(path, (frame[:, ::-1] for frame in FRAMES), rate)
    with read_frames(clip(path)) as reader:
        np.testing.assert_array_equal(np.stack(list(reader)), FRAMES[:, :, ::-1])
        assert reader.native_rate == rate
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_frames_that_end_in_an_error_leave_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield FRAMES[0]
        raise ClipError("is broken")

    with pytest.raises(ClipError, match="is broken"):
        write_frames(tmp_path / "a.npz", broken(), Fraction(25))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="cannot be written"):
        write_frames(tmp_path / "nowhere" / "a.npz", FRAMES, Fraction(25))


def test_a_stretch_of_an_array(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, FRAMES)
    with read_frames(clip(path, 0.4, 0.6)) as reader:
        np.testing.assert_array_equal(np.stack(list(reader)), FRAMES[10:15])
    with read_frames(clip(path, 0.4, 0.6), Fraction(25)) as reader:
        np.testing.assert_array_equal(np.stack(list(reader)), FRAMES[10:15])
    assert read_inputs(clip(path)) is None


def test_network_input_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, rgb=RGB[None], flow=FLOW)
    inputs = read_inputs(clip(path))
    assert inputs is not None
    assert list(inputs) == ["rgb", "flow"]
    np.testing.assert_array_equal(inputs["rgb"], RGB)
    np.testing.assert_array_equal(inputs["flow"], FLOW)
    with pytest.raises(ClipError, match=r"holds no frames.*flow, rgb"):
        list(read_frames(clip(path)))


def test_network_input_in_a_pair_of_files(tmp_path: Path) -> None:
    np.save(tmp_path / "v_rgb.npy", RGB[None])
    assert list(read_inputs(clip(tmp_path / "v_rgb.npy")) or ()) == ["rgb"]
    np.save(tmp_path / "v_flow.npy", FLOW[None])
    for name in ("v_rgb.npy", "v_flow.npy"):
        inputs = read_inputs(clip(tmp_path / name))
        assert inputs is not None
        assert {stream: array.shape for stream, array in inputs.items()} == {
            "rgb": (9, 6, 8, 3),
            "flow": (9, 6, 8, 2),
        }


def test_frames_in_a_file_that_is_named_like_input(tmp_path: Path) -> None:
    np.save(tmp_path / "v_rgb.npy", FRAMES)
    assert read_inputs(clip(tmp_path / "v_rgb.npy")) is None
    assert len(list(read_frames(clip(tmp_path / "v_rgb.npy")))) == 50


def test_videos_hold_no_network_input(tmp_path: Path) -> None:
    assert read_inputs(clip(tmp_path / "a.mp4")) is None


@pytest.mark.parametrize(
    "array",
    [FRAMES[..., 0], FRAMES.astype(np.int16), FRAMES[..., :2], FRAMES[:0], FRAMES / 255, np.uint8(3)],
)
def test_arrays_that_are_no_clip_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    path = tmp_path / "a.npy"
    np.save(path, array)
    with pytest.raises(ClipError, match=r"expected \(T, H, W, 3\) uint8") as caught:
        list(read_frames(clip(path)))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"rgb": RGB.astype(np.float64)}, "not network input for the rgb stream"),
        ({"rgb": RGB[..., :2]}, "not network input for the rgb stream"),
        ({"rgb": np.stack([RGB, RGB])}, "not network input for the rgb stream"),
        ({"flow": RGB}, "not network input for the flow stream"),
        ({"flow": FLOW[:0]}, "not network input for the flow stream"),
        ({"rgb": RGB * np.float32(np.nan)}, "not finite"),
    ],
)
def test_input_of_the_wrong_kind_is_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ClipError, match=message):
        read_inputs(clip(tmp_path / "a.npz"))


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    """Of which NumPy raises an error of Python's own tokens, which is no ValueError."""
    path = tmp_path / "a.npy"
    np.save(path, FRAMES)
    path.write_bytes(path.read_bytes().replace(b"(50,", b"((((", 1))
    with pytest.raises(ClipError, match=r"a\.npy: not a readable array file"):
        read_frames(clip(path))


@pytest.mark.parametrize("rate", ["fast", "0", "-25", "1/0", "nan", "1e-999999999", "1e9", "1/61"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    np.savez(tmp_path / "a.npz", frames=FRAMES, rate=np.array(rate))
    with pytest.raises(ClipError, match="not a frame rate"):
        read_frames(clip(tmp_path / "a.npz"))


class Payload:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("executed"),))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_nothing_in_a_file_is_run(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"a{suffix}"
    evil = np.array([Payload()], dtype=object)
    np.save(path, evil) if suffix == ".npy" else np.savez(path, frames=evil)
    contents = [path.read_bytes(), pickle.dumps(Payload()), b"", b"PK\x03\x04 not a zip", b"\x93NUMPY"]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ClipError):
            list(read_frames(clip(path)))
    assert not (tmp_path / "executed").exists()


def test_an_array_larger_than_any_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 50,)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(ClipError, match=r"a\.npy: not a readable array file"):
        read_frames(clip(path))


def test_an_archive_that_unpacks_to_far_more_than_it_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, frames=np.zeros((50, 64, 64, 3), np.uint8))
    assert len(list(read_frames(clip(path)))) == 50
    monkeypatch.setattr("actionbench.datasets.sources.arrays._UNPACKED_BYTES", 1 << 18)
    for use in (read_frames, read_inputs):
        with pytest.raises(ClipError, match=r"a\.npz: unpacks to too much; .* found 614\d{3} bytes"):
            use(clip(path))


def test_arrays_need_numpy_only(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", frames=FRAMES)
    code = (
        "import sys\n"
        "for name in ('av', 'cv2', 'PIL', 'torch', 'tensorflow'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from actionbench.datasets.sources.registry import load_clips\n"
        "from actionbench.datasets.video.reader import read_frames\n"
        "(clip,) = load_clips(sys.argv[1], vocabulary=())\n"
        "print(sum(1 for _ in read_frames(clip)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.npz")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "50\n"
