"""What can happen to a training; gone on with, it has the result of one that nothing has happened to."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.parsing import parse_json
from actionbench.records.lock import FolderLock
from actionbench.training.config import FinetuneConfig
from actionbench.training.inputs.frames import ResizedFrames
from actionbench.training.task import plan

from ...training.conftest import _one_thread  # noqa: F401
from .. import trainings
from ..trainings import Settings, words_of

Result = Mapping[str, bytes]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return {**trainings.settings(tmp_path_factory.mktemp("training"), epochs=2), "draws": 1}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No features of another test."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def whole(given: Settings, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The result of a training that nothing happens to."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert run_app(words_of(given, out)) == 0
    return result(out)


def result(out: Path) -> Result:
    """The files of a training, whose settings name its folder."""
    return {name: data for name, data in trainings.files(out).items() if name != "config.yaml"}


def continued(given: Settings, out: Path) -> Result:
    """The result of a training after it was gone on with, or begun again where nothing was there."""
    begun = (out / "config.yaml").is_file()
    assert run_app(trainings.go_on(out) if begun else words_of(given, out)) == 0
    return result(out)


class Killed(BaseException):
    """In place of kill -9, which no test of this process would survive."""


def killed(temporary: Path) -> None:
    # What was being written stays.
    shutil.copy(temporary, temporary.with_name(temporary.name[:-12] + "0123abcd.tmp"))
    raise Killed


def full(_: Path) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupted(_: Path) -> None:
    raise KeyboardInterrupt


def while_writing(
    monkeypatch: pytest.MonkeyPatch, name: str, number: int, happens: Callable[[Path], None]
) -> None:
    """Have `happens` called when a file of which the name ends so is written, for the `number`th time."""
    left = number

    def replace(self: Path, target: Path) -> Path:
        nonlocal left
        if target.name.endswith(name):
            left -= 1
            if left == 0:
                happens(self)
        return real(self, target)

    real = Path.replace
    monkeypatch.setattr(Path, "replace", replace)


FILES = {
    "config.yaml": 1,
    "split.json": 1,
    ".npz": 3,
    "training.csv": 2,
    "best.ckpt": 1,
    "last.ckpt": 2,
    "predictions.jsonl": 1,
    "weights.safetensors": 1,
    "labels.txt": 1,
    "model.json": 1,
}
"""Of a training, in the order of writing → at which writing of it something happens."""

IN_SHORT = {(killed, "weights.safetensors"), (full, "last.ckpt"), (interrupted, ".npz")}


@pytest.mark.parametrize(
    ("happens", "name"),
    [
        pytest.param(happens, name, marks=() if (happens, name) in IN_SHORT else pytest.mark.slow)
        for happens in (killed, full, interrupted)
        for name in FILES
    ],
)
def test_the_end_while_any_file_is_written(
    given: Settings,
    whole: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    happens: Callable[[Path], None],
    name: str,
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        while_writing(patch, name, FILES[name], happens)
        if happens is killed:
            with pytest.raises(Killed):
                run_app(words_of(given, out))
        else:
            assert run_app(words_of(given, out)) == (2 if happens is full else 130)
    said = capfd.readouterr().err
    if happens is full:
        assert f"{name}: " in said
        assert "No space left on device" in said
    if happens is not killed and name != "config.yaml":
        assert f"bench finetune --resume {out}" in said
    assert continued(given, out) == whole


def test_the_end_when_all_is_done(
    given: Settings, whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next command removes what was left; where nothing was, the result may be one that is only read."""
    out = tmp_path / "out"

    def release(lock: FolderLock) -> None:
        """As the system does for a process that is killed."""
        lock._open_holder.close()
        lock._lock.release()

    def end(folder: Path) -> None:
        assert folder == out
        patch.setattr(FolderLock, "release", release)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("actionbench.training.finetune.tidy", end)
        with pytest.raises(Killed):
            run_app(words_of(given, out))
    assert (out / "checkpoints").is_dir()
    assert continued(given, out) == whole
    with monkeypatch.context() as patch:
        patch.setattr("actionbench.training.result.locked", None)
        assert continued(given, out) == whole


STAGES = {
    "planning": "actionbench.training.finetune.plan",
    "reading a clip": "actionbench.training.inputs.frames.ResizedFrames.__call__",
    "training": "actionbench.training.network.TrainedNetwork.training_step",
    "validation": "actionbench.training.network.TrainedNetwork.on_validation_epoch_end",
    "evaluation": "actionbench.training.finetune._log_probabilities",
    "the end": "actionbench.training.finetune.tidy",
}


@pytest.mark.parametrize(
    "stage", [pytest.param(each, marks=() if each == "training" else pytest.mark.slow) for each in STAGES]
)
def test_an_interrupt_at_every_stage(
    given: Settings, whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(STAGES[stage], lambda *_, **__: interrupted(out))
        assert run_app(words_of(given, out)) == 130
    assert continued(given, out) == whole


def test_an_interrupt_in_place_of_which_a_library_raises_another_error(
    given: Settings,
    whole: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As Lightning and NumPy do where it comes at an awkward moment."""
    out = tmp_path / "out"

    def cleans_up(*_: object) -> None:
        try:
            interrupted(out)
        except KeyboardInterrupt as error:
            raise RuntimeError("Please call `iter(combined_loader)` first.") from error

    with monkeypatch.context() as patch:
        patch.setattr(STAGES["training"], cleans_up)
        assert run_app(words_of(given, out)) == 130
    said = capfd.readouterr().err
    assert f"interrupted; continue with: bench finetune --resume {out}" in said
    assert "Traceback" not in said
    assert continued(given, out) == whole


def test_a_second_training_in_the_folder_is_refused(
    given: Settings,
    whole: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whether it would begin or go on."""
    out = tmp_path / "out"
    codes: list[int] = []

    def second(_: Path) -> None:
        codes.extend(map(run_app, (words_of(given, out), trainings.go_on(out))))

    while_writing(monkeypatch, "training.csv", 1, second)
    assert run_app(words_of(given, out)) == 0
    assert codes == [2, 2]
    said = capfd.readouterr().err
    assert f"--out {out}: exists and is not empty" in said
    assert f"{out}: is being trained; found process {os.getpid()} on" in said
    assert result(out) == whole


def test_two_that_begin_in_one_folder_at_once(
    given: Settings, whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is later by a moment is refused, and changes nothing."""
    out = tmp_path / "out"
    codes: list[int] = []
    other = words_of({**given, "seed": 1}, out)
    while_writing(monkeypatch, "config.yaml", 1, lambda _: codes.append(run_app(other)))
    assert run_app(words_of(given, out)) == 0
    assert codes == [2]
    assert result(out) == whole


@pytest.mark.parametrize("fault", ["replaced", pytest.param("gone", marks=pytest.mark.slow)])
def test_a_clip_that_changes_in_the_middle(
    given: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    """Where frames are not held, each epoch reads the files again: what it reads is what was to be read."""
    data = tmp_path / "set" / "set.csv"
    shutil.copytree(Path(given["data"]).parent, data.parent)
    asked = {**given, "data": data, "draws": 0, "memory_gb": 0}
    assert run_app(words_of(asked, tmp_path / "whole")) == 0
    out, whole = tmp_path / "out", result(tmp_path / "whole")
    names = [name for name, _ in parse_json(whole["split.json"])["train"]]
    changed, other = data.parent / names[-1], data.parent / names[0]
    held = changed.read_bytes()

    def happens(_: Path) -> None:
        if fault == "gone":
            changed.unlink()
        else:
            shutil.copy(other, changed)

    with monkeypatch.context() as patch:
        while_writing(patch, "last.ckpt", 1, happens)
        assert run_app(words_of(asked, out)) == 2
    expected = "No such file" if fault == "gone" else "the file is not the one in the manifest"
    assert f"{changed}: " in (said := capfd.readouterr().err)
    assert expected in said
    changed.write_bytes(held)
    assert continued(asked, out) == whole


def test_a_file_is_checked_once_until_it_changes(monkeypatch: pytest.MonkeyPatch, given: Settings) -> None:
    """A digest takes long where the file is large."""
    from actionbench.training.inputs import frames

    checked: list[Any] = []
    monkeypatch.setattr(frames, "verify", checked.append)
    task = plan(
        FinetuneConfig(model=given["model"], weights=given["weights"], data=given["data"], memory_gb=0)
    )
    read: ResizedFrames = task.windows.frames
    clip = task.split.train[0].clip
    for _ in range(2):
        read(clip)
    assert checked == [clip]
    os.utime(clip.path)
    read(clip)
    assert checked == [clip, clip]


@pytest.mark.slow
@pytest.mark.usefixtures("no_pictures")
def test_experiments_of_which_any_file_is_written_when_the_process_is_killed(
    given: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command then leaves the same files."""
    table = trainings.table(tmp_path, given)
    out = tmp_path / "out"
    words = ["experiments", str(table), "--out", str(out)]
    assert run_app(words) == 0
    whole = trainings.files(out)
    for name in ("experiments.yaml", "config.yaml", "baseline.json", "model.json", "evaluation.json"):
        shutil.rmtree(out)
        with monkeypatch.context() as patch:
            while_writing(patch, name, 1 if name.startswith("e") else 2, killed)
            with pytest.raises(Killed):
                run_app(words)
        assert run_app(words) == 0
        assert trainings.files(out) == whole, name


@pytest.mark.usefixtures("no_pictures")
def test_second_experiments_in_the_folder_are_refused(
    given: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    table = trainings.table(tmp_path, given)
    table.write_text(table.read_text().replace("last: {}", "last: {baseline: majority}"))
    out = tmp_path / "out"
    words = ["experiments", str(table), "--out", str(out)]
    codes: list[int] = []
    while_writing(monkeypatch, "baseline.json", 1, lambda _: codes.append(run_app(words)))
    assert run_app(words) == 0
    assert codes == [2]
    assert "other experiments are being carried out in this folder" in capfd.readouterr().err
