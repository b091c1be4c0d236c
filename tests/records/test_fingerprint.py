"""Which environments are one machine."""

from __future__ import annotations

import pytest

from actionbench.bench.plan.environment import environment
from actionbench.records.fingerprint import differences, fingerprint, machine_id

HERE = {
    "cpu": "Some CPU",
    "cpu_flags": ["avx2", "avx512f"],
    "cores": 4,
    "memory_bytes": 16 * 2**30,
    "gpus": [{"name": "Some GPU", "memory": "80 GiB", "driver": "1", "sm_clock": "1000 MHz"}],
    "os": "Linux-6.1.0-13-amd64-x86_64-with-glibc2.36",
    "cpu_governor": None,
    "load_average": [0.1, 0.2, 0.3],
    "packages": {"torch": "2.0"},
}


@pytest.mark.parametrize(
    "change",
    [
        {"packages": {"torch": "2.1"}},
        {"load_average": [9.0, 9.0, 9.0]},
        {"os": "Linux-6.12.8-arch1-1-x86_64-with-glibc2.40"},
        {"memory_bytes": 16 * 2**30 - 2**28},
        {"cpu_flags": ["avx512f", "avx2"]},
        {"gpus": [{"name": "Some GPU", "memory": "80 GiB", "driver": "2", "sm_clock": "300 MHz"}]},
        {"git_commit": "abc"},
    ],
)
def test_what_is_the_same_machine(change: dict[str, object]) -> None:
    there = {**HERE, **change}
    assert differences(HERE, there) == []
    assert machine_id(HERE) == machine_id(there)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cpu": "Another CPU"}, "cpu: Some CPU, Another CPU"),
        ({"cpu_flags": ["avx2"]}, "cpu_flags: ['avx2', 'avx512f'], ['avx2']"),
        ({"cores": 2}, "cores: 4, 2"),
        ({"memory_bytes": 8 * 2**30}, "memory_gib: 16, 8"),
        ({"gpus": []}, "gpus: ['Some GPU, 80 GiB'], []"),
        ({"os": "macOS-14.2-arm64"}, "os: Linux-6, macOS-14"),
        ({"cpu_governor": "powersave"}, "cpu_governor: None, powersave"),
    ],
)
def test_what_is_another_machine(change: dict[str, object], told: str) -> None:
    there = {**HERE, **change}
    assert differences(HERE, there) == [told]
    assert machine_id(HERE) != machine_id(there)


def test_an_environment_of_nothing_is_unknown_throughout() -> None:
    assert set(map(str, fingerprint({}).values())) == {"None", "[]"}
    assert differences({}, {}) == []


def test_this_machine_is_itself() -> None:
    assert differences(environment(), environment()) == []
    assert fingerprint(environment())["cores"] is not None


def test_values_of_other_kinds_count_as_unknown() -> None:
    odd = {**HERE, "memory_bytes": "16 GB", "cpu_flags": 5, "gpus": ["x", {"name": "Some GPU"}]}
    found = fingerprint(odd)
    assert (found["memory_gib"], found["cpu_flags"]) == (None, None)
    assert found["gpus"] == ["Some GPU, None"]
