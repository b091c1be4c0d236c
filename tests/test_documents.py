"""What documents, workflows and hooks say of the project is so: links, files, versions, options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from actionbench import __version__
from actionbench.bench.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")))
FOREIGN = {"datasets/kinetics.py"}
"""Files of other projects (kenshohara/3D-ResNets-PyTorch) whose paths look like ours."""

WRITTEN_BY_THE_READER = {"records/scenarios/decoding.py", "bench/scenarios/decoding.py"}
"""Files of a guide's example."""

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SETTINGS = [*WORKFLOWS, ROOT / "action.yml", ROOT / ".pre-commit-config.yaml"]


def loaded(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def missing_links(text: str, folder: Path) -> list[str]:
    """Targets of relative links that are no files; addresses and places within a page are not looked at."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    files = (target.partition("#")[0] for target in targets if ":" not in target)
    return [file for file in files if file and not (folder / file).exists()]


def missing_files(text: str) -> list[str]:
    """Source files and folders of the project that a text names by their paths, and that do not exist."""
    named = re.findall(r"(?<![\w/.-])((?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.py)?)(?![\w/*<{.])", text)
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()}
    named = [
        name
        for name in named
        if name.partition("/")[0] in ours and name not in FOREIGN | WRITTEN_BY_THE_READER
    ]
    return [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    assert missing_links(document.read_text(encoding="utf-8"), document.parent) == []


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "NOTICE"], ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    assert missing_files(document.read_text(encoding="utf-8")) == []


def test_what_is_missing_is_found() -> None:
    assert missing_links("[a](docs/none.md#x) [b](https://x.org) [c](#here)", ROOT) == ["docs/none.md"]
    text = "`models/none.py`, `bench/nowhere/`, `bench/cli/`, `models/i3d/*.py`, or x/y.py"
    assert missing_files(text) == ["models/none.py", "bench/nowhere/"]


def rows_that_stand_twice(text: str) -> list[str]:
    """First cells of the rows of tables, each table by itself, that occur more than once in one."""
    twice = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        first = [row.split("|")[1].strip() for row in table.splitlines()]
        twice += sorted({cell for cell in first if first.count(cell) > 1})
    return twice


def test_no_concept_stands_twice_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\|", text, re.MULTILINE)) > 60
    assert rows_that_stand_twice(text) == []


def test_a_row_that_stands_twice_is_found() -> None:
    text = "| a | 1 |\n|:--|--|\n| b | 2 |\n| b | 3 |\n\ntext\n\n| a | 1 |\n"
    assert rows_that_stand_twice(text) == ["b"]


def test_the_version_is_the_changelogs_newest() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1].partition(" – ")[0] == __version__


@pytest.mark.parametrize("file", SETTINGS, ids=lambda path: path.name)
def test_workflows_and_hooks_can_be_read(file: Path) -> None:
    assert isinstance(loaded(file), dict)


def test_ci_runs_the_projects_own_script_on_every_python() -> None:
    (job,) = loaded(ROOT / ".github" / "workflows" / "ci.yml")["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    classified = re.findall(r"Programming Language :: Python :: (\S+)", setup)
    assert job["strategy"]["matrix"]["python"] == classified


def test_the_gates_workflow_gives_its_action_what_that_takes() -> None:
    (job,) = loaded(ROOT / ".github" / "workflows" / "gate.yml")["jobs"].values()
    (step,) = (step for step in job["steps"] if step.get("uses") == "./")
    inputs = loaded(ROOT / "action.yml")["inputs"]
    required = {name for name, described in inputs.items() if described.get("required")}
    assert required <= set(step["with"]) <= set(inputs)
    commands: Any = typer.main.get_command(app)
    known = {option for parameter in commands.commands["gate"].params for option in parameter.opts}
    given = {word for word in shlex.split(step["with"]["arguments"]) if word.startswith("--")}
    assert given
    assert given <= known


def test_hooks_have_the_versions_of_the_environment() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    for repository in loaded(ROOT / ".pre-commit-config.yaml")["repos"]:
        name = repository["repo"].rpartition("/")[2].removesuffix("-pre-commit")
        if name in pins:
            assert repository["rev"] == f"v{pins[name]}"
