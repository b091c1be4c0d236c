"""What the text of a licence says of commercial use."""

from __future__ import annotations

import pytest

from actionbench.licences import is_non_commercial, marked


@pytest.mark.parametrize(
    "licence",
    [
        "cc-by-nc-4.0",
        "CC-BY-NC-SA-4.0",
        "CC BY-NC-ND 4.0",
        "CC BY NC 3.0",
        "PolyForm-Noncommercial-1.0.0",
        "code: Apache-2.0; weights: for non-commercial use",
        "research only",
        "for research use only",
        "the weights videomae: cc-by-nc-4.0; my films: CC BY 4.0",
    ],
)
def test_licences_without_commercial_use(licence: str) -> None:
    assert is_non_commercial(licence)


@pytest.mark.parametrize(
    "licence", ["Apache-2.0", "MIT", "BSD-3-Clause", "CC BY 4.0", "CC-BY-ND-4.0", "NCSA", "not stated", ""]
)
def test_licences_that_do_not_exclude_it(licence: str) -> None:
    assert not is_non_commercial(licence)
    assert marked(licence) == licence


def test_a_licence_is_marked_once() -> None:
    assert marked("cc-by-nc-4.0") == "cc-by-nc-4.0 (non-commercial)"
    assert marked("for non-commercial use") == "for non-commercial use"
