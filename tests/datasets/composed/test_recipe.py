"""Recipes: what is asked for is checked, and each error names file, source and key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.datasets.composed.recipe import GroupRule, SourceRecipe, read_recipe
from actionbench.errors import UsageError
from actionbench.settings import markdown_table

WriteRecipe = Callable[..., Path]

SOURCE = {"path": "videos", "licence": "CC0", "groups": "folder"}


def test_a_recipe_is_read(write_recipe: WriteRecipe) -> None:
    path = write_recipe(
        {
            "films": SOURCE | {"kind": "hmdb51", "classes": {"run": "running", 0: "drop"}, "groups": "film"},
            "own": SOURCE | {"include": "a_*, b_*", "groups": {"pattern": "(?P<group>.)"}},
        },
        other="walking",
    )
    recipe = read_recipe(path)
    assert recipe.labels == ("falling", "running", "walking")
    assert recipe.other == "walking"
    assert list(recipe.sources) == ["films", "own"]
    films, own = recipe.sources.values()
    assert films.classes == {"run": "running", "0": "drop"}
    assert films.groups == GroupRule("film")
    assert own.kind == "folder"
    assert own.include == ("a_*", "b_*")
    assert own.groups == GroupRule("pattern", "(?P<group>.)")
    assert recipe.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_recipe(write_recipe({"a": SOURCE})).other is None


@pytest.mark.parametrize(
    ("keys", "source", "message"),
    [
        ({"labels": ["one"]}, {}, "`labels` are missing"),
        ({"labels": ["a", "a"]}, {}, "`labels` are not different names"),
        ({"labels": ["a", "drop"]}, {}, "`labels` are not different names"),
        ({"other": "rest"}, {}, "`other` is none of the labels; expected falling, running, walking, drop"),
        ({"label": []}, {}, "unknown key 'label'. Did you mean: labels"),
        ({}, {"kind": 3.5j}, "not YAML"),
        ({}, {"lisence": "CC0"}, "source 's': unknown key 'lisence'. Did you mean: licence"),
        ({}, {"path": None}, "source 's': `path` is missing"),
        ({}, {"licence": None}, "source 's': `licence` is missing"),
        ({}, {"groups": None}, "source 's': `groups` is missing"),
        ({}, {"groups": "films"}, "source 's': `groups` has the wrong type; expected film, folder, video"),
        ({}, {"groups": {"pattern": "a", "csv": "b"}}, "`groups` has the wrong type"),
        ({}, {"kind": "segments"}, "source 's': `list` is missing, which the kind segments needs"),
        ({}, {"list": "lists"}, "source 's': `list` does not apply to kind folder; found lists"),
        ({}, {"lists": {"tset": "a"}}, "source 's', `lists`: unknown key 'tset'. Did you mean: test"),
        (
            {},
            {"kind": "hmdb51", "lists": {"test": "a"}},
            "source 's': `lists` does not apply to kind hmdb51",
        ),
        ({}, {"columns": {"path": "p"}}, "source 's': `columns` does not apply to kind folder"),
        ({}, {"classes": {"run": "runing"}}, "`classes` maps 'run' to what is no label"),
        ({}, {"classes": ["run"]}, "source 's': `classes` has the wrong type"),
    ],
)
def test_mistakes_are_named(
    write_recipe: WriteRecipe, keys: dict[str, object], source: dict[str, object], message: str
) -> None:
    path = write_recipe({"s": SOURCE | {k: v for k, v in source.items() if v != 3.5j}}, **keys)
    if "not YAML" in message:
        path.write_text("labels: [", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no recipe"),
        ("[1, 2]", "is no recipe"),
        ("labels: [a, b]", "`sources` is missing"),
        ("labels: [a, b]\nsources: [x]", "`sources` is missing"),
        ("labels: [a, b]\nsources: {x: y}", "source 'x': has no keys"),
        ("labels: [a, b]\nsources: {x/y: {path: p, licence: l, groups: folder}}", "holds no '/'"),
        ("labels: [a, b]\nlabels: [c, d]", "the key 'labels' occurs twice"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"recipe\.yaml") as caught:
        read_recipe(path)
    assert message in str(caught.value)


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml: the recipe cannot be read"):
        read_recipe(tmp_path / "none.yaml")


def test_the_document_has_every_key() -> None:
    """Where this fails, put what `markdown_table(SourceRecipe)` gives into the document."""
    text = (Path(__file__).parents[3] / "docs" / "composing-a-dataset.md").read_text(encoding="utf-8")
    assert f"\n{markdown_table(SourceRecipe)}" in text
