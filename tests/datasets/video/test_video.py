"""Reading frames in time: resampling, segments, odd geometry and colour."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import FrameReader, read_frames
from actionbench.datasets.video.sampling import TimedFrame, each, resample
from actionbench.errors import ClipError

MakeVideo = Callable[..., Path]

NTSC = Fraction(30000, 1001)
# A key frame every half second, three B-frames in a row: decoding order is far from presentation order
H264 = {
    "codec": "libx264",
    "pix_fmt": "yuv420p",
    "options": {"crf": "1", "g": "12", "bf": "3", "b_strategy": "0", "sc_threshold": "0"},
}


def numbers(
    path: Path, rate: Fraction | None = None, start: float | None = None, end: float | None = None
) -> list[int]:
    """The numbers that the frames of a `make_video` file carry, as read."""
    with read_frames(Clip("x", path, start_s=start, end_s=end), rate) as reader:
        return [round(float(frame.mean()) / 3) for frame in reader]


def timed(starts: list[Fraction], end: Fraction) -> list[TimedFrame]:
    ends = [*starts[1:], end]
    pixels = [np.full((1, 1, 3), k, np.uint8) for k in range(len(starts))]
    return [TimedFrame(s, e, partial(np.asarray, p)) for s, e, p in zip(starts, ends, pixels, strict=True)]


def shown(frames: Iterable[TimedFrame]) -> list[int]:
    return [int(frame.pixels()[0, 0, 0]) for frame in frames]


timings = st.lists(st.integers(1, 90), min_size=1, max_size=40)
rates = st.sampled_from([Fraction(25), NTSC, Fraction(10), Fraction(50), Fraction(24000, 1001), Fraction(1)])


@given(lengths=timings, rate=rates, data=st.data())
def test_resampling_shows_the_last_frame_before_the_middle_of_each_interval(
    lengths: list[int], rate: Fraction, data: st.DataObject
) -> None:
    """Against the rule applied literally, frame by frame, with all frames at hand."""
    edges = [Fraction(sum(lengths[:k]), 1000) for k in range(len(lengths) + 1)]
    start = Fraction(data.draw(st.integers(0, sum(lengths) - 1)), 1000)
    end = start + Fraction(data.draw(st.integers(1, 2 * sum(lengths))), 1000)
    expected = []
    for k in range(10_000):
        middle = start + (2 * k + 1) / (2 * rate)
        if middle > min(end, edges[-1]) and k > 0:
            break
        before = [i for i, edge in enumerate(edges[:-1]) if edge < min(middle, end)]
        expected.append(before[-1])
    frames = timed(edges[:-1], edges[-1])
    assert shown(resample(frames, rate, start, end)) == expected
    inside = [i for i, edge in enumerate(edges[:-1]) if start <= edge < end]
    assert shown(each(frames, start, end)) == inside


@settings(max_examples=25)
@given(lengths=st.lists(st.integers(1, 90), min_size=2, max_size=40), rate=rates)
def test_resampling_is_what_ffmpegs_fps_filter_does(lengths: list[int], rate: Fraction) -> None:
    starts = [sum(lengths[:k]) for k in range(len(lengths))]
    graph = av.filter.Graph()
    source = graph.add_buffer(width=2, height=2, format="gray", time_base=Fraction(1, 1000))
    fps = graph.add("fps", f"fps={rate}")
    sink = graph.add("buffersink")
    source.link_to(fps)
    fps.link_to(sink)
    graph.configure()
    for k, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        frame = av.VideoFrame.from_ndarray(np.full((2, 2), k, np.uint8), format="gray")
        frame.pts, frame.time_base, frame.duration = start, Fraction(1, 1000), length
        source.push(frame)
    source.push(None)
    expected = []
    while True:
        try:
            expected.append(int(sink.pull().to_ndarray()[0, 0]))
        except (av.BlockingIOError, av.EOFError):
            break
    edges = [Fraction(start, 1000) for start in starts]
    frames = timed(edges, Fraction(sum(lengths), 1000))
    # FFmpeg gives no frame at all of a video shorter than half an interval; we give one
    assert shown(resample(frames, rate, Fraction(0), None)) == (expected or [len(edges) - 1])


@pytest.mark.parametrize(
    ("rate", "to", "expected"),
    [
        (25, 25, list(range(10))),
        (50, 25, [0, 2, 4, 6, 8]),
        (25, 50, [k // 2 for k in range(20)]),
        (NTSC, NTSC, list(range(10))),
        (10, 25, [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 8, 9, 9]),
    ],
)
def test_constant_rates_in_a_real_file(
    make_video: MakeVideo, tmp_path: Path, rate: Fraction | int, to: Fraction | int, expected: list[int]
) -> None:
    path = make_video(tmp_path / "a.mov", 10, rate)
    assert numbers(path) == list(range(10))
    assert numbers(path, Fraction(to)) == expected


def test_rates_stay_exact_over_a_quarter_of_an_hour(make_video: MakeVideo, tmp_path: Path) -> None:
    """Every frame comes exactly once: no drift."""
    frames = (
        TimedFrame(k / NTSC, (k + 1) / NTSC, lambda: np.zeros((1, 1, 3), np.uint8)) for k in range(30_000)
    )
    assert sum(1 for _ in resample(frames, NTSC, Fraction(0), None)) == 30_000
    with read_frames(Clip("x", make_video(tmp_path / "a.mov", 5, NTSC))) as reader:
        assert reader.native_rate == reader.rate == NTSC
        assert sum(1 for _ in reader) == reader.frames == 5
        assert reader.video_s == pytest.approx(5 * 1001 / 30000, abs=1e-12)


def test_timestamps_rounded_to_milliseconds_do_not_stutter(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", 60, 30)  # Matroska stores 0, 33, 67, 100 ms
    assert numbers(path, Fraction(30)) == list(range(60))


def test_variable_rate_and_delayed_start(make_video: MakeVideo, tmp_path: Path) -> None:
    pts = [5000, 5040, 5080, 5480, 5520]  # ms; the third frame stays for 0.4 s
    path = make_video(tmp_path / "a.mkv", 5, 25, pts=pts, time_base=Fraction(1, 1000))
    assert numbers(path) == [0, 1, 2, 3, 4]
    assert numbers(path, Fraction(25)) == [0, 1, *[2] * 10, 3, 4]


def test_b_frames_come_in_presentation_order(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 40, 25, **H264)
    with av.open(str(path)) as container:
        assert any(p.pts != p.dts for p in container.demux(video=0) if p.dts is not None)
    assert numbers(path) == list(range(40))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.4), (0.96, 1.44), (1.0, None), (2.6, 9.0), (1.01, 1.05)])
def test_a_stretch_is_that_part_of_the_whole(
    make_video: MakeVideo, tmp_path: Path, suffix: str, start: float, end: float | None
) -> None:
    path = make_video(tmp_path / f"a{suffix}", 75, 25, **H264)
    last = 3.0 if end is None else end
    assert numbers(path, start=start, end=end) == [k for k in range(75) if start <= k / 25 < last]
    count = max(1, round((min(last, 3.0) - start) * 25))
    assert numbers(path, Fraction(25), start, end) == [
        max(k for k in range(75) if k / 25 < start + (j + 0.5) / 25) for j in range(count)
    ]


def test_a_stretch_counts_from_the_first_frame(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "a.mkv", 30, 25, pts=[5000 + 40 * k for k in range(30)], time_base=Fraction(1, 1000)
    )
    assert numbers(path, start=0.4, end=0.52) == [10, 11, 12]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [(9.0, 10.0, "last frame ends at 0.40 s"), (0.3, 0.3, "empty"), (-1.0, None, "empty")],
)
def test_a_stretch_without_frames_is_refused(
    make_video: MakeVideo, tmp_path: Path, start: float, end: float | None, message: str
) -> None:
    path = make_video(tmp_path / "a.mkv", 10)
    with pytest.raises(ClipError, match=message):
        numbers(path, start=start, end=end)


def test_impossible_gaps_are_refused_instead_of_filled(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", 3, 25, pts=[0, 40, 10**8], time_base=Fraction(1, 1000))
    with pytest.raises(ClipError, match="timestamps jump"):
        numbers(path, Fraction(25))


@pytest.mark.parametrize("size", [(17, 31), (1, 1), (333, 9)])
def test_odd_sizes_without_loss(make_video: MakeVideo, tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, height, width, 3), np.uint8))
    with read_frames(Clip("x", make_video(tmp_path / "a.mov", pictures))) as reader:
        for frame, picture in zip(reader, pictures, strict=True):
            np.testing.assert_array_equal(frame, picture)
            assert frame.dtype == np.uint8
            assert frame.flags.c_contiguous


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [(x, 0, 0, y) for x in (1, -1) for y in (1, -1)] + [(0, x, y, 0) for x in (1, -1) for y in (1, -1)],
)
def test_quarter_turns_and_mirrorings(
    make_video: MakeVideo, tmp_path: Path, a: int, b: int, c: int, d: int
) -> None:
    """The display matrix puts the pixel at (x, y) to (a x + c y, b x + d y), up to a shift (ISO 14496-12)."""
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    one = 1 << 16
    path = make_video(
        tmp_path / "a.mov", [picture], matrix=[a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30]
    )
    places = {(a * x + c * y, b * x + d * y): picture[y, x] for y in range(5) for x in range(7)}
    left, top = (min(place[axis] for place in places) for axis in (0, 1))
    with read_frames(Clip("x", path)) as reader:
        (frame,) = reader
    assert frame.shape == ((5, 7, 3) if a else (7, 5, 3))
    for (x, y), pixel in places.items():
        np.testing.assert_array_equal(frame[y - top, x - left], pixel)


@pytest.mark.parametrize(
    ("aspect", "width"), [(Fraction(2), 64), (Fraction(3, 4), 24), (Fraction(2048, 2043), 32)]
)
def test_pixels_are_made_square_by_the_width(
    make_video: MakeVideo, tmp_path: Path, aspect: Fraction, width: int
) -> None:
    path = make_video(tmp_path / "a.mp4", 2, codec="libx264", pix_fmt="yuv420p", aspect=aspect)
    with read_frames(Clip("x", path)) as reader:
        assert {frame.shape for frame in reader} == {(24, width, 3)}
        assert any("square" in note for note in reader.notes) == (width != 32)


@pytest.mark.parametrize(
    ("space", "full", "kr", "kb"),
    [
        (1, False, 0.2126, 0.0722),
        (1, True, 0.2126, 0.0722),
        (5, False, 0.299, 0.114),
        (5, True, 0.299, 0.114),
    ],
)
def test_colours_follow_the_tags(tmp_path: Path, space: int, full: bool, kr: float, kb: float) -> None:
    """Against the defining equations of BT.601 and BT.709 (ITU-R); untagged is BT.601."""
    y, u, v = 120, 90, 160
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv444p"
        stream.codec_context.color_range = 2 if full else 1
        stream.codec_context.colorspace = space
        planes = np.stack([np.full((16, 16), value, np.uint8) for value in (y, u, v)])
        frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
        frame.pts, frame.colorspace, frame.color_range = 0, space, 2 if full else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    luma = (y - (0 if full else 16)) / (255 if full else 219)
    blue, red = ((c - 128) / (255 if full else 224) for c in (u, v))
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    with read_frames(Clip("x", path)) as reader:
        np.testing.assert_allclose(next(reader)[8, 8], 255 * np.array([r, g, b]), atol=2)


def test_same_pixels_as_opencv(shared_data: Path) -> None:
    import cv2

    for name in ("changing_oil/mmaction2_test1.mp4", "juggling_soccer_ball/v_SoccerJuggling_g24_c01.avi"):
        path = shared_data / "videos/kinetics_like" / name
        capture = cv2.VideoCapture(str(path))
        with read_frames(Clip("x", path)) as reader:
            for _ in range(12):
                np.testing.assert_array_equal(next(reader), capture.read()[1][..., ::-1])
        capture.release()


def test_packed_b_frames_in_avi_keep_an_even_pace(shared_data: Path) -> None:
    """HMDB51's AVI files hold timestamps that go 1, 4, 3, 5; at their own rate every frame comes once."""
    folder = shared_data / "videos/kinetics_like/waving_hand"
    path = folder / "hmdb51_SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0.avi"
    with read_frames(Clip("x", path)) as native, read_frames(Clip("x", path), Fraction(30)) as resampled:
        assert len(list(native)) == len(list(resampled)) == 74
    assert native.notes == ["header says 75 frames, 74 decode"]


def test_more_threads_same_frames(shared_data: Path) -> None:
    path = shared_data / "broken/torchcodec_nasa_13013.mp4"
    with read_frames(Clip("x", path)) as one, read_frames(Clip("x", path), threads=3) as three:
        for a, b in zip(one, three, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no list of threads")
@pytest.mark.skipif(os.cpu_count() == 1, reason="one core: nothing takes a second thread")
def test_decoding_takes_one_thread(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 10)
    code = (
        "import sys; from pathlib import Path; from actionbench.datasets.clip import Clip\n"
        "from actionbench.datasets.video.reader import read_frames\n"
        "before = len(list(Path('/proc/self/task').iterdir()))\n"
        "reader = read_frames(Clip('x', Path(sys.argv[1])))\n"
        "next(reader)\n"
        "assert len(list(Path('/proc/self/task').iterdir())) == before\n"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)


def test_closing_early_frees_the_file(make_video: MakeVideo, tmp_path: Path) -> None:
    reader = read_frames(Clip("x", make_video(tmp_path / "a.mov", 10)))
    next(reader)
    reader.close()
    assert list(reader) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"not a video\n" * 100, "not a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n", "not a video"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "not a video"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Playlists and scripts too, which would make the library open other files."""
    for suffix in (".mp4", ".m3u8", ".txt"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(content)
        with pytest.raises(ClipError, match=message) as caught:
            numbers(path)
        assert str(path) in str(caught.value)


def test_missing_files_folders_and_odd_names(tmp_path: Path, make_video: MakeVideo) -> None:
    with pytest.raises(ClipError, match="does not exist"):
        numbers(tmp_path / "no.mp4")
    with pytest.raises(ClipError, match=r"not a file; .* found a folder"):
        numbers(tmp_path)
    (tmp_path / "endless.mp4").symlink_to("/dev/zero")
    with pytest.raises(ClipError, match=r"not a file; .* found a device"):
        numbers(tmp_path / "endless.mp4")
    for name in ("pipe.mp4", "pipe.npy"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(ClipError, match=r"not a file; .* found a named pipe"):
            numbers(tmp_path / name)
    (tmp_path / "nothing.mp4").symlink_to("gone.mp4")
    with pytest.raises(ClipError, match=r"nothing.mp4: is a link to nothing; found gone.mp4"):
        numbers(tmp_path / "nothing.mp4")
    with pytest.raises(ClipError, match="not positive"):
        numbers(make_video(tmp_path / "a.mov", 2), Fraction(0))
    assert numbers(make_video(tmp_path / "-i 100% a:b#ü.mov", 2)) == [0, 1]
    undecodable = tmp_path / "a\udcff.mov"
    undecodable.write_bytes((tmp_path / "a.mov").read_bytes())
    assert numbers(undecodable) == [0, 1]


def test_still_images_are_no_video(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ClipError, match="not a video"):
        numbers(path)


def test_pictures_beyond_the_limit_are_refused(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actionbench.datasets.video.pictures.MAX_PIXELS", 32 * 24 - 1)
    with pytest.raises(ClipError, match="too large"):
        numbers(make_video(tmp_path / "a.mov", 2))


def test_truncated_files_give_what_is_there(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mkv", 60)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    found = numbers(cut)
    assert 10 < len(found) < 60
    assert found == list(range(len(found)))


def test_damage_is_noted_in_a_stretch_too(shared_data: Path) -> None:
    path = shared_data / "broken/mp4parse_no_timescale.mp4"
    with read_frames(Clip("x", path, end_s=5.5)) as reader:
        assert 100 < len(list(reader)) < 170
    assert any(note.startswith("damaged packets left out") for note in reader.notes)
    assert not any("header" in note for note in reader.notes)


def test_damaged_bytes_never_crash(make_video: MakeVideo, tmp_path: Path) -> None:
    """Forty copies of a small file, each with other bytes overwritten: frames or one clear error."""
    whole = make_video(tmp_path / "a.mp4", 30, 25, **H264).read_bytes()
    rng = np.random.default_rng(7)
    outcomes, refused = set(), 0
    for _ in range(40):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 12):
            damaged[place] = rng.integers(0, 256)
        path = tmp_path / "damaged.mp4"
        path.write_bytes(damaged)
        try:
            outcomes.add(0 < len(numbers(path, Fraction(25))) < 10_000)
        except ClipError as error:
            outcomes.add(error.where == str(path))
            refused += 1
    assert outcomes == {True}
    assert 0 < refused < 40


def test_ffmpeg_keeps_quiet(shared_data: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from actionbench.datasets.clip import Clip\n"
        "from actionbench.datasets.video.reader import read_frames\n"
        "print(sum(1 for _ in read_frames(Clip('x', Path(sys.argv[1])))))"
    )
    path = shared_data / "broken/mp4parse_no_timescale.mp4"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == "170\n"


@pytest.mark.parametrize("every", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("rate", [None, Fraction(25), Fraction(10), Fraction(60)])
def test_only_every_so_many_th_frame_is_given(
    make_video: MakeVideo, tmp_path: Path, every: int, rate: Fraction | None
) -> None:
    path = make_video(tmp_path / "a.mkv", 40)
    with read_frames(Clip("x", path), rate) as reader:
        everything = [frame.copy() for frame in reader]
        seconds = reader.video_s
    with read_frames(Clip("x", path), rate, every=every) as reader:
        found = [frame.copy() for frame in reader]
        assert reader.rate == (rate or 25) / Fraction(every)
        assert (reader.frames, reader.video_s) == (len(found), seconds)
    np.testing.assert_array_equal(np.stack(found), np.stack(everything[::every]))


def test_frames_that_are_left_out_are_not_converted() -> None:
    converted: list[int] = []

    def convert(number: int) -> np.ndarray:
        converted.append(number)
        return np.zeros((1, 1, 3), np.uint8)

    class Numbered:
        native_rate = Fraction(25)

        def __init__(self) -> None:
            self.notes: list[str] = []

        def frames(self, since: Fraction | None) -> Iterable[TimedFrame]:
            assert since is None
            return iter(
                TimedFrame(Fraction(k, 25), Fraction(k + 1, 25), partial(convert, k)) for k in range(10)
            )

        def close(self) -> None:
            pass

    reader = FrameReader(Clip("x", Path("x")), Numbered(), every=4)  # type: ignore[arg-type]
    assert len(list(reader)) == 3
    assert converted == [0, 4, 8]
