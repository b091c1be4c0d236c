"""States through every format, files as the authors left them, and files that nobody should load."""

from __future__ import annotations

import io
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actionbench.errors import UsageError, WeightsError
from actionbench.models.state import State
from actionbench.models.weights import convert, detect_format, read_state, write_state
from actionbench.models.weights.formats.tensor_bundle import list_tensors, write_bundle
from actionbench.models.weights.formats.torch_files import read_torch

I3D_FORMATS = ("tf1-checkpoint", "piergiaj", "hassony2")
STEM = "Conv3d_1a_7x7"


def same(one: State, other: State) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("format", I3D_FORMATS)
def test_i3d_comes_back_bit_by_bit(format: str, i3d_state: State, tmp_path: Path) -> None:
    write_state(i3d_state, tmp_path / "weights", format, "flow")
    assert detect_format(tmp_path / "weights") == format
    assert same(read_state(tmp_path / "weights", format, "flow"), i3d_state)


def test_resnext_comes_back_bit_by_bit(resnext_state: State, tmp_path: Path) -> None:
    write_state(resnext_state, tmp_path / "weights.pth", "hara", "rgb")
    assert detect_format(tmp_path / "weights.pth") == "hara"
    assert same(read_state(tmp_path / "weights.pth", "hara", "rgb"), resnext_state)


@pytest.mark.parametrize("source", I3D_FORMATS)
@pytest.mark.parametrize("target", I3D_FORMATS)
def test_conversion_between_all_formats_loses_nothing(
    source: str, target: str, i3d_state: State, tmp_path: Path
) -> None:
    write_state(i3d_state, tmp_path / "a", source, "rgb")
    convert(tmp_path / "a", tmp_path / "b", target, "rgb")
    assert detect_format(tmp_path / "b") == target
    assert same(read_state(tmp_path / "b", target, "rgb"), i3d_state)
    with pytest.raises(WeightsError, match="exists already"):
        convert(tmp_path / "a", tmp_path / "b", target, "rgb")


def test_the_same_state_gives_the_same_bytes(i3d_state: State, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_state(i3d_state, tmp_path / name, "piergiaj", "rgb")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize(
    ("format", "names"),
    [  # as in the state dicts of the two repositories' networks
        (
            "piergiaj",
            {
                "Conv3d_1a_7x7.conv3d.weight",
                "Conv3d_2c_3x3.bn.running_var",
                "Mixed_3b.b0.conv3d.weight",
                "Mixed_4e.b1b.bn.weight",
                "Mixed_5b.b2a.bn.bias",
                "Mixed_5b.b2b.conv3d.weight",
                "Mixed_5c.b3b.bn.running_mean",
                "logits.conv3d.bias",
            },
        ),
        (
            "hassony2",
            {
                "conv3d_1a_7x7.conv3d.weight",
                "conv3d_2c_3x3.batch3d.running_var",
                "mixed_3b.branch_0.conv3d.weight",
                "mixed_4e.branch_1.1.batch3d.weight",
                "mixed_5b.branch_2.0.batch3d.bias",
                "mixed_5b.branch_2.1.conv3d.weight",
                "mixed_5c.branch_3.1.batch3d.running_mean",
                "conv3d_0c_1x1.conv3d.bias",
            },
        ),
    ],
)
def test_names_and_axes_of_the_torch_ports(
    format: str, names: set[str], i3d_state: State, tmp_path: Path
) -> None:
    write_state(i3d_state, tmp_path / "weights", format, "rgb")
    written = torch.load(tmp_path / "weights", weights_only=True)
    assert names <= set(written)
    assert len(written) == 57 * 5 + 2
    first = written[f"{STEM if format == 'piergiaj' else STEM.lower()}.conv3d.weight"].numpy()
    assert first.shape == (3, 2, 1, 2, 1)
    assert first[2, 1, 0, 1, 0] == i3d_state[f"{STEM}/conv_3d/w"][0, 1, 0, 1, 2]


def test_names_of_the_checkpoints(i3d_state: State, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "annotations" / "i3d_published" / "checkpoints"
    for stream in ("rgb", "flow"):
        write_state(i3d_state, tmp_path / stream, "tf1-checkpoint", stream)
        published = list_tensors(folder / f"{stream}_imagenet" / "model.ckpt.index")
        assert set(list_tensors(tmp_path / f"{stream}.index")) == set(published)


def test_hara_files_are_as_the_authors_left_them(resnext_state: State, tmp_path: Path) -> None:
    write_state(resnext_state, tmp_path / "weights.pth", "hara", "rgb")
    written = torch.load(tmp_path / "weights.pth", weights_only=True)
    assert set(written) == {"arch", "epoch", "state_dict", "optimizer"}
    assert "module.layer3.22.conv2.weight" in written["state_dict"]
    # The master branch saves without DataParallel's prefix and adds a scheduler.
    master = {name.removeprefix("module."): value for name, value in written["state_dict"].items()}
    torch.save({"epoch": 3, "arch": "resnext-101", "state_dict": master, "scheduler": {}}, tmp_path / "m.pth")
    assert same(read_state(tmp_path / "m.pth", "hara", "rgb"), resnext_state)


def test_kinetics_600_layout(i3d_state: State, tmp_path: Path) -> None:
    tensors = {
        name: tensor.reshape(1, 1, 1, 1, -1) if "/batch_norm/" in name else tensor
        for name, tensor in i3d_state.items()
    }
    slots = {f"{name}/Momentum": tensor for name, tensor in tensors.items()}
    write_bundle(tmp_path / "model.ckpt", tensors | slots)
    assert same(read_state(tmp_path / "model.ckpt.index", "tf1-checkpoint", "rgb"), i3d_state)


def test_both_streams_in_one_checkpoint(i3d_state: State, tmp_path: Path) -> None:
    flow = {name: tensor + 1 for name, tensor in i3d_state.items()}
    both = {f"RGB/inception_i3d/{name}": tensor for name, tensor in i3d_state.items()}
    write_bundle(
        tmp_path / "both", both | {f"Flow/inception_i3d/{name}": each for name, each in flow.items()}
    )
    assert same(read_state(tmp_path / "both", "tf1-checkpoint", "rgb"), i3d_state)
    assert same(read_state(tmp_path / "both", "tf1-checkpoint", "flow"), flow)


def test_the_other_stream_is_refused(i3d_state: State, tmp_path: Path) -> None:
    write_state(i3d_state, tmp_path / "model.ckpt", "tf1-checkpoint", "flow")
    with pytest.raises(WeightsError, match=r"no rgb stream.*Flow/inception_i3d/"):
        read_state(tmp_path / "model.ckpt", "tf1-checkpoint", "rgb")


def old_file(contents: Any, path: Path) -> None:
    """As torch before 1.6 wrote it: one pickle after another, no archive."""
    torch.save(contents, path, _use_new_zipfile_serialization=False)


def test_old_container_on_a_gpu_with_bytes_for_names(
    i3d_state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(i3d_state, tmp_path / "new", "piergiaj", "rgb")
    state = torch.load(tmp_path / "new", weights_only=True)
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
    old_file({name.encode(): tensor for name, tensor in state.items()}, tmp_path / "old")
    assert b"cuda:0" in (tmp_path / "old").read_bytes()
    assert detect_format(tmp_path / "old") == "piergiaj"
    assert same(read_state(tmp_path / "old", "piergiaj", "rgb"), i3d_state)


def test_half_precision_and_counters_of_batches(i3d_state: State, tmp_path: Path) -> None:
    write_state(i3d_state, tmp_path / "full", "hassony2", "rgb")
    state = {name: tensor.half() for name, tensor in torch.load(tmp_path / "full", weights_only=True).items()}
    state["conv3d_1a_7x7.batch3d.num_batches_tracked"] = torch.tensor(5)
    torch.save(state, tmp_path / "half")
    read = read_state(tmp_path / "half", "hassony2", "rgb")
    assert all(tensor.dtype == np.float32 for tensor in read.values())
    assert same(
        read, {name: tensor.astype(np.float16).astype(np.float32) for name, tensor in i3d_state.items()}
    )


def test_batch_norm_with_a_scale_means_the_same_without(i3d_state: State, tmp_path: Path) -> None:
    """As in piergiaj's Charades files: the layer's output with γ equals that of the state without."""
    write_state(i3d_state, tmp_path / "plain", "piergiaj", "rgb")
    state = torch.load(tmp_path / "plain", weights_only=True)
    gamma = torch.tensor([0.5, -2.0, 0.0])
    variance = torch.tensor([0.3, 1.0, 2.0])
    state[f"{STEM}.bn.weight"], state[f"{STEM}.bn.running_var"] = gamma, variance
    torch.save({"state_dict": state}, tmp_path / "scaled")

    conv, norm = torch.nn.Conv3d(2, 3, (1, 2, 1), bias=False), torch.nn.BatchNorm3d(3, eps=1e-3)
    layer = torch.nn.Sequential(conv, norm)
    with torch.no_grad():
        conv.weight.copy_(state[f"{STEM}.conv3d.weight"])
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(norm, name).copy_(state[f"{STEM}.bn.{name}"])
        pixels = torch.randn(1, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
        expected = layer.eval()(pixels).numpy()

    read = read_state(tmp_path / "scaled", "piergiaj", "rgb")
    assert set(read) == set(i3d_state)
    kernel = torch.from_numpy(read[f"{STEM}/conv_3d/w"].transpose(4, 3, 0, 1, 2).copy())
    mean, var, beta = (
        read[f"{STEM}/batch_norm/{name}"][:, None, None, None]
        for name in ("moving_mean", "moving_variance", "beta")
    )
    found = (torch.conv3d(pixels, kernel).numpy() - mean) / np.sqrt(var + 1e-3) + beta
    np.testing.assert_allclose(found, expected, atol=1e-5)
    state[f"{STEM}.bn.weight"] = torch.ones(2)
    torch.save(state, tmp_path / "misshapen")
    with pytest.raises(WeightsError, match=f"{STEM}.bn.weight does not fit"):
        read_state(tmp_path / "misshapen", "piergiaj", "rgb")


class _Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("container", ["zip", "old", "pickle"])
def test_a_file_that_wants_to_run_a_program_is_refused(container: str, tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "weights.pth"
    contents = {"state_dict": {"conv1.weight": torch.ones(1)}, "optimizer": _Payload(victim)}
    if container == "pickle":
        path.write_bytes(pickle.dumps(contents["optimizer"]))
    else:
        torch.save(contents, path, _use_new_zipfile_serialization=container == "zip")
    with pytest.raises(WeightsError, match="Nothing in it was executed") as caught:
        read_state(path, "hara", "rgb")
    assert str(path) in str(caught.value)
    assert container == "pickle" or "posix.mkdir" in str(caught.value)
    assert not victim.exists()
    with pytest.raises(WeightsError):
        detect_format(path)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html><head><title>Google Drive - Virus scan warning", "web page"),
        (b"<HTML lang=en>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4665\nsize 50\n", "git lfs pull"),
        (b"404: Not Found", "error message"),
        (b'{"message": "API rate limit exceeded"}', "error message"),
        (b"some text", "not a file of torch|tensors only"),
        (b"PK\x03\x04 not an archive", "not a file of torch"),
        (bytes(1000), "not a file of torch|tensors only"),
    ],
)
def test_what_failed_downloads_leave(contents: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(contents)
    for use in (lambda: read_state(path, "piergiaj", "rgb"), lambda: detect_format(path)):
        with pytest.raises(WeightsError, match=complaint) as caught:
            use()
        assert "weights.pt" in str(caught.value)
    index = tmp_path / "model.ckpt.index"
    index.write_bytes(contents)
    with pytest.raises(WeightsError, match=r"model\.ckpt\.index"):
        read_state(tmp_path / "model.ckpt", "tf1-checkpoint", "rgb")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.data(), st.booleans())
def test_damaged_torch_files_end_in_an_error(tmp_path: Path, data: st.DataObject, old: bool) -> None:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"w": torch.ones(3)}}, buffer, _use_new_zipfile_serialization=not old)
    whole = buffer.getvalue()
    damaged = bytearray(whole[: data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))])
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "weights"
    path.write_bytes(damaged)
    try:
        read = read_torch(path)
    except WeightsError:
        return
    assert all(tensor.dtype == np.float32 for tensor in read.values())


def test_a_truncated_file(i3d_state: State, tmp_path: Path) -> None:
    write_state(i3d_state, tmp_path / "weights", "piergiaj", "rgb")
    whole = (tmp_path / "weights").read_bytes()
    (tmp_path / "weights").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="damaged"):
        read_state(tmp_path / "weights", "piergiaj", "rgb")


@pytest.mark.parametrize("kind", ["compressed", "overlapping"])
def test_an_archive_that_unpacks_to_more_than_its_size_is_not_loaded(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": torch.zeros(1 << 20)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(
        path, "w", zipfile.ZIP_DEFLATED if kind == "compressed" else zipfile.ZIP_STORED
    ) as bomb:
        for name, contents in entries.items():
            bomb.writestr(name, contents)
        if kind == "overlapping":
            bomb.filelist += bomb.filelist
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was loaded"))
    for use in (lambda: read_state(path, "hara", "rgb"), lambda: detect_format(path)):
        with pytest.raises(
            WeightsError, match=r"weights\.pth: was not written by torch.* found \d{7,} bytes.*torch.save"
        ):
            use()


@pytest.mark.parametrize(
    ("tensor", "complaint"),
    [
        (torch.ones(1).expand(1 << 20, 1 << 20), "conv1.weight is larger than .* at most 4 bytes"),
        (torch.ones(3).to_sparse(), "conv1.weight is not a plain tensor"),
        (torch.ones(3, device="meta"), "conv1.weight is not a plain tensor"),
    ],
)
def test_tensors_that_hold_less_than_they_say(tensor: torch.Tensor, complaint: str, tmp_path: Path) -> None:
    torch.save({"conv1.weight": tensor}, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match=complaint):
        read_torch(tmp_path / "weights.pt")


HEADER = b'{"conv1.weight":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}'


@pytest.mark.parametrize(
    "contents",
    [
        (1 << 62).to_bytes(8, "little") + HEADER + bytes(12),
        len(HEADER).to_bytes(8, "little") + HEADER + bytes(7),
        len(HEADER).to_bytes(8, "little") + HEADER[:-9],
        b"PK\x03\x04" + bytes(20),
    ],
    ids=["length", "data", "header", "no safetensors"],
)
def test_damaged_safetensors_end_in_an_error(contents: bytes, tmp_path: Path) -> None:
    """torch reads them by their name's ending, and lets the other library's errors through."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents)
    with pytest.raises(WeightsError, match=r"model\.safetensors: .*damaged"):
        read_torch(path)


def test_whatever_a_library_raises_is_the_files_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Foreign(Exception):
        pass

    def load(*_: object, **__: object) -> None:
        raise Foreign("of a library that torch calls")

    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "weights.pt")
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(WeightsError, match="found Foreign: of a library that torch calls"):
        read_torch(tmp_path / "weights.pt")


def test_an_archive_that_is_not_of_torch(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "weights.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(WeightsError, match="not a file of torch"):
        detect_format(tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        ([1, 2], "no state dict"),
        ({}, "no state dict"),
        ({"state_dict": 3}, "no state dict"),
        ({"weight": 3}, "weight is not a tensor"),
        ({"weight": torch.ones(2, dtype=torch.int64)}, "weight is not a tensor of floating"),
    ],
)
def test_torch_files_without_a_state(contents: Any, complaint: str, tmp_path: Path) -> None:
    torch.save(contents, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match=complaint):
        detect_format(tmp_path / "weights.pt")


def test_missing_extra_and_infinite_tensors_are_named(i3d_state: State, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    write_state(i3d_state, path, "piergiaj", "rgb")
    state = torch.load(path, weights_only=True)
    torch.save(state | {"extra.weight": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=r"does not have.*extra\.weight"):
        read_state(path, "piergiaj", "rgb")
    torch.save({name: tensor for name, tensor in state.items() if name != "Mixed_4b.b0.bn.bias"}, path)
    with pytest.raises(WeightsError, match=r"lacks.*Mixed_4b\.b0\.bn\.bias"):
        read_state(path, "piergiaj", "rgb")
    broken = i3d_state | {"Logits/Conv3d_0c_1x1/conv_3d/b": np.array([1, np.nan, 0, 0], np.float32)}
    write_state(broken, path, "piergiaj", "rgb")
    with pytest.raises(WeightsError, match=r"not finite.*Logits/Conv3d_0c_1x1/conv_3d/b"):
        read_state(path, "piergiaj", "rgb")


def test_wrong_formats_are_named(i3d_state: State, resnext_state: State, tmp_path: Path) -> None:
    write_state(i3d_state, tmp_path / "i3d.pt", "piergiaj", "rgb")
    for format in ("hassony2", "hara"):
        with pytest.raises(WeightsError, match=f"lacks tensors of the format {format}"):
            read_state(tmp_path / "i3d.pt", format, "rgb")
    with pytest.raises(WeightsError, match="lacks tensors of the format hassony2"):
        write_state(resnext_state, tmp_path / "x", "hassony2", "rgb")
    with pytest.raises(UsageError, match="piergiaj"):
        read_state(tmp_path / "i3d.pt", "piergaj", "rgb")
    with pytest.raises(UsageError, match="format to write"):
        write_state(i3d_state, tmp_path / "x", "tfhub", "rgb")
    torch.save({"backbone.weight": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"no known network.*backbone\.weight"):
        detect_format(tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="no such weights"):
        detect_format(tmp_path / "absent" / "model.ckpt")


def test_variables_of_a_hub_module_are_read(i3d_state: State, tmp_path: Path) -> None:
    write_state(i3d_state, tmp_path / "module" / "variables" / "variables", "tf1-checkpoint", "rgb")
    with pytest.raises(WeightsError, match="no TF-Hub module"):
        detect_format(tmp_path / "module")
    (tmp_path / "module" / "saved_model.pb").write_bytes(b"graph")
    assert detect_format(tmp_path / "module") == "tfhub"
    assert same(read_state(tmp_path / "module", "tfhub", "rgb"), i3d_state)


@pytest.mark.parametrize("old", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", [torch.float16, torch.float32])
def test_tensors_that_are_parts_of_each_other_cannot_fill_the_memory(
    kind: torch.dtype, old: bool, tmp_path: Path
) -> None:
    part = torch.zeros(1 << 10, 4, dtype=kind).T
    contents = {f"{n}.weight": part for n in range(100)}
    torch.save(contents, tmp_path / "weights.pt", _use_new_zipfile_serialization=not old)
    with pytest.raises(WeightsError, match=r"weights\.pt: holds tensors that together are larger"):
        read_torch(tmp_path / "weights.pt")


def test_a_long_name_is_refused_at_once(tmp_path: Path) -> None:
    """torch searches its own messages in a time that grows with the square of a name's length."""
    path = tmp_path / "net.pth"
    path.write_bytes(b"\x80\x02c" + b"x" * 60_000 + b"\nA\n.")
    begin = time.process_time()
    with pytest.raises(WeightsError, match=r"asks for x{200} to be loaded"):
        read_torch(path)
    assert time.process_time() - begin < 5, "20 s where torch makes the message"
    with pytest.raises(pickle.UnpicklingError):  # torch is as it was
        torch.load(io.BytesIO(b"\x80\x02cposix\nmkdir\n."), weights_only=True)
