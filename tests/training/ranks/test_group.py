"""Which process of a training this one is, as torchrun or srun says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from actionbench.errors import UsageError
from actionbench.training.config import FinetuneConfig
from actionbench.training.ranks.group import ALONE, Ranks, cluster, started

CONFIG = FinetuneConfig(data="x")
SEVERAL = replace(CONFIG, devices=2, nodes=3, batch=12)
TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "6"}
SRUN = {"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_STEP_NUM_TASKS": "6"}
BATCH_SCRIPT = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "6"}


@pytest.mark.parametrize(
    ("config", "environment", "found"),
    [
        (CONFIG, {}, ALONE),
        (CONFIG, BATCH_SCRIPT, ALONE),
        (CONFIG, {"WORLD_SIZE": "6"}, ALONE),
        (SEVERAL, TORCHRUN, Ranks(3, 1, 6)),
        (SEVERAL, SRUN, Ranks(3, 1, 6)),
        (SEVERAL, TORCHRUN | BATCH_SCRIPT, Ranks(3, 1, 6)),
        (replace(SEVERAL, nodes=1), {}, None),
        (replace(SEVERAL, nodes=1), BATCH_SCRIPT, None),
    ],
)
def test_the_launchers_variables_say_which_process_it_is(
    config: FinetuneConfig, environment: Mapping[str, str], found: Ranks | None
) -> None:
    assert started(config, environment) == found


@pytest.mark.parametrize(
    ("config", "environment", "message"),
    [
        (
            CONFIG,
            TORCHRUN,
            r"--devices 1 --nodes 1: .*expected devices × nodes = 6; found 1",
        ),
        (replace(CONFIG, devices=4), SRUN, r"--devices 4 --nodes 1.*found 4"),
        (SEVERAL, {}, r"--devices 2 --nodes 3.*torchrun or srun"),
    ],
)
def test_a_number_of_processes_that_does_not_fit_is_an_error(
    config: FinetuneConfig, environment: Mapping[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        started(config, environment)


def test_settings_of_several_processes_that_make_no_sense_are_errors() -> None:
    with pytest.raises(UsageError, match=r"--batch 16: cannot be shared evenly.*a multiple of .* = 3"):
        replace(CONFIG, devices=3)
    with pytest.raises(UsageError, match="--devices 2 --nodes 1: would do nothing: a baseline"):
        replace(CONFIG, devices=2, baseline="majority")
    with pytest.raises(UsageError, match="--nodes: is out of range"):
        replace(CONFIG, nodes=0)


def test_shares_are_disjoint_and_whole() -> None:
    shares = [list(Ranks(rank, rank, 3).share(range(8))) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert ALONE.gathered([3, 1]) == [3, 1]


def test_lightning_finds_the_others_by_the_launchers_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SRUN | {"SLURM_NTASKS": "6", "SLURM_NODEID": "1", "SLURM_JOB_ID": "1234"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=r"srun: .*`--ntasks=6`.*--ntasks-per-node"):
        cluster()
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    monkeypatch.setenv("SLURM_NODELIST", "node[04-06]")
    slurm = cluster()
    assert (slurm.global_rank(), slurm.local_rank(), slurm.world_size()) == (3, 1, 6)
    assert slurm.main_address == "node04"
    for name, value in (TORCHRUN | {"MASTER_ADDR": "first", "MASTER_PORT": "29500"}).items():
        monkeypatch.setenv(name, value)
    torchrun = cluster()
    assert (torchrun.main_address, torchrun.main_port, torchrun.world_size()) == ("first", 29500, 6)
