"""What is drawn for a clip, how often, and that motion stays what it was."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from actionbench.errors import ClipError, UsageError
from actionbench.parsing import parse_yaml
from actionbench.settings import from_mapping, settings_of
from actionbench.training.augmentation.augmentation import FILTERS, MODES, Augmentation
from actionbench.training.augmentation.draws import DRAWS, Drawn

SMALL = (1, 4, 4, 3)
DRAWINGS = 1000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clip(frames: int = 4, height: int = 24, width: int = 33, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (frames, height, width, 3), dtype=torch.uint8, generator=seeded(seed))


def drawn_values(name: str, key: str, shape: tuple[int, ...] = SMALL, **strengths: Any) -> list[Any]:
    """The value that was drawn for a filter, many times."""
    augmentation, generator = Augmentation(mode="one", filters=(name,), **strengths), seeded()
    values = []
    for _ in range(200):
        (drawn,) = augmentation.draw(shape, generator)
        assert isinstance(drawn.apply, partial)
        values.append(drawn.apply.keywords[key])
    return values


def draw_often(mode: str) -> list[tuple[Drawn, ...]]:
    augmentation, generator = Augmentation(mode=mode), seeded()
    return [augmentation.draw(SMALL, generator) for _ in range(DRAWINGS)]


def assert_equally_often(counts: Counter[Any], expected: int) -> None:
    """A chi-squared test at 0.1 %: by chance, one seed in a thousand would fail."""
    assert len(counts) == expected
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_every_filter_can_be_drawn() -> None:
    assert set(DRAWS) == set(FILTERS)
    assert len(FILTERS) == 7


def test_none_leaves_the_clip_as_it_is() -> None:
    frames = clip()
    assert torch.equal(Augmentation()(frames, seeded()), frames)


def test_one_draws_each_filter_about_equally_often() -> None:
    drawn = draw_often("one")
    assert {len(each) for each in drawn} == {1}
    assert_equally_often(Counter(each[0].name for each in drawn), len(FILTERS))


def test_some_draws_one_to_all_about_equally_often_each_once_and_in_random_order() -> None:
    drawn = draw_often("some")
    assert_equally_often(Counter(len(each) for each in drawn), len(FILTERS))
    assert_equally_often(Counter(filter_.name for each in drawn for filter_ in each), len(FILTERS))
    assert_equally_often(Counter(each[0].name for each in drawn), len(FILTERS))
    assert all(len({filter_.name for filter_ in each}) == len(each) for each in drawn)


def test_all_draws_every_filter_in_random_order() -> None:
    orders = [tuple(filter_.name for filter_ in each) for each in draw_often("all")]
    assert all(sorted(order) == sorted(FILTERS) for order in orders)
    assert_equally_often(Counter(order[0] for order in orders), len(FILTERS))
    assert_equally_often(Counter(order[-1] for order in orders), len(FILTERS))
    neighbours = Counter(pair for order in orders for pair in pairwise(order))
    assert_equally_often(neighbours, len(FILTERS) * (len(FILTERS) - 1))


def test_filters_are_applied_in_the_order_that_was_drawn() -> None:
    augmentation, frames = Augmentation(mode="all"), clip()
    expected = frames
    for drawn in augmentation.draw(tuple(frames.shape), seeded(3)):
        expected = drawn.apply(expected)
    assert torch.equal(augmentation(frames, seeded(3)), expected)


def test_strengths_are_drawn_from_their_whole_ranges() -> None:
    added = drawn_values("add", "value", add=30)
    assert min(added) >= -30 < -25 > min(added)
    assert 25 < max(added) <= 30
    factors = drawn_values("multiply", "factor", multiply=0.2)
    assert 0.8 <= min(factors) < 0.82
    assert 1.18 < max(factors) <= 1.2
    # A picture of a sixteenth of the size that the pixels are meant for.
    alphas = drawn_values("elastic", "alpha", shape=(1, 16, 20, 3), elastic_alpha=25600)
    assert 0 <= min(alphas) < 5
    assert 95 < max(alphas) <= 100
    blurs = drawn_values("blur", "sigma", shape=(1, 20, 16, 3), blur=32)
    assert 0 <= min(blurs) < 0.1
    assert 1.9 < max(blurs) <= 2


@pytest.mark.parametrize(("name", "value"), [("salt", 255), ("pepper", 0)])
def test_salt_and_pepper_cover_up_to_their_share(name: str, value: int) -> None:
    grey = torch.full((1, 100, 100, 3), 128, dtype=torch.uint8)
    augmentation = Augmentation(mode="one", filters=(name,), salt=0.1, pepper=0.1)
    shares = []
    for seed in range(40):
        found = augmentation(grey, seeded(seed))
        assert set(np.unique(found)) <= {128, value}
        assert torch.equal(found[..., 0], found[..., 2])
        shares.append(float((found[..., 0] == value).float().mean()))
    assert 0.03 < np.mean(shares) < 0.07
    assert max(shares) < 0.12


def test_flip_has_its_probability() -> None:
    left = torch.tensor([[[[255] * 3, [0] * 3]]], dtype=torch.uint8)
    for probability, low, high in ((0.0, 0, 0), (0.5, 160, 240), (1.0, 400, 400)):
        augmentation, generator = Augmentation(mode="one", filters=("flip",), flip=probability), seeded()
        flipped = sum(not torch.equal(augmentation(left, generator), left) for _ in range(400))
        assert low <= flipped <= high


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("seed", range(3))
def test_what_does_not_move_does_not_move_afterwards(name: str, seed: int) -> None:
    still = clip(1, seed=seed).expand(5, -1, -1, -1).contiguous()
    found = Augmentation(mode="one", filters=(name,))(still, seeded(seed))
    assert torch.equal(found, found[:1].expand_as(found))


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "add"])
def test_every_frame_is_changed_alike_wherever_it_stands(name: str) -> None:
    """Without `add`, whose bound is the clip's mean."""
    frames = clip(5)
    strong = Augmentation(mode="one", filters=(name,), salt=1, pepper=1, elastic_alpha=5000, blur=30, flip=1)
    (drawn,) = strong.draw(tuple(frames.shape), seeded(2))
    together = drawn.apply(frames)
    assert not torch.equal(together, frames)
    for number in range(5):
        alone = drawn.apply(frames[number : number + 1])
        assert torch.equal(together[number : number + 1], alone)


@pytest.mark.parametrize("name", ["salt", "pepper"])
def test_fresh_salt_and_pepper_lie_elsewhere_in_every_frame(name: str) -> None:
    grey = torch.full((4, 40, 40, 3), 128, dtype=torch.uint8)
    fresh = Augmentation(mode="one", filters=(name,), temporal="fresh", salt=0.3, pepper=0.3)
    covered = fresh(grey, seeded(5))[..., 0] != 128
    assert all(frame.any() for frame in covered)
    assert not any(torch.equal(one, other) for one, other in pairwise(covered))


def test_fresh_changes_nothing_but_salt_and_pepper() -> None:
    frames, others = clip(), tuple(name for name in FILTERS if name not in ("salt", "pepper"))
    coherent, fresh = (Augmentation("all", temporal, others) for temporal in ("coherent", "fresh"))
    assert torch.equal(coherent(frames, seeded()), fresh(frames, seeded()))


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
    mode=st.sampled_from(MODES),
    temporal=st.sampled_from(["coherent", "fresh"]),
    seed=st.integers(0, 2**32),
)
def test_any_clip_keeps_its_shape_and_the_original(
    shape: tuple[int, int, int], mode: str, temporal: str, seed: int
) -> None:
    frames = clip(*shape, seed=seed)
    before, augmentation = frames.clone(), Augmentation(mode=mode, temporal=temporal)
    found = augmentation(frames, seeded(seed))
    assert (found.shape, found.dtype) == (frames.shape, torch.uint8)
    assert torch.equal(frames, before)
    assert torch.equal(found, augmentation(frames, seeded(seed)))


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros(2, 8, 8, 3),
        *(torch.zeros(*shape, dtype=torch.uint8) for shape in ((8, 8, 3), (3, 2, 8, 8), (0, 8, 8, 3))),
    ],
)
def test_what_is_no_rgb_clip_is_refused(frames: torch.Tensor) -> None:
    with pytest.raises(ClipError, match="RGB frames are augmented"):
        Augmentation(mode="all")(frames, seeded())


def test_other_seeds_give_other_clips() -> None:
    augmentation, frames = Augmentation(mode="all"), clip()
    found = {augmentation(frames, seeded(seed)).numpy().tobytes() for seed in range(10)}
    assert len(found) == 10


def test_threads_do_not_disturb_each_other() -> None:
    augmentation, frames = Augmentation(mode="all"), clip(2, 12, 17)
    state = torch.random.get_rng_state()
    expected = [augmentation(frames, seeded(seed)) for seed in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: augmentation(frames, seeded(seed)), range(12)))
    assert all(map(torch.equal, found, expected))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_deformation_is_in_proportion_to_the_picture() -> None:
    """Of a ramp that rises by one level a pixel, the change is the displacement."""
    augmentation = Augmentation(mode="one", filters=("elastic",))
    moved = {}
    for side in (60, 120):
        ramp = (
            torch.arange(side, dtype=torch.uint8)[None, None, :, None].expand(1, side, side, 3).contiguous()
        )
        inner = slice(side // 5, -side // 5)
        changes = [
            (augmentation(ramp, seeded(seed)).float() - ramp)[:, inner, inner].std() for seed in range(12)
        ]
        moved[side] = float(torch.stack(changes).mean()) / side
    assert 0.003 < moved[120] < 0.02
    assert moved[60] == pytest.approx(moved[120], rel=0.3)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"mode": "every"}, "unknown augmentation mode 'every'"),
        ({"temporal": "random"}, "unknown augmentation in time 'random'"),
        ({"filters": ["blurr"]}, "Did you mean: blur"),
        ({"filters": []}, "filters: must name filters, each once"),
        ({"filters": ["add", "add"]}, "filters: must name filters, each once; found add, add"),
        ({"add": 300}, "add: is out of range; expected 0 to 255; found 300"),
        ({"multiply": -0.1}, "multiply: is out of range"),
        ({"flip": float("nan")}, "flip: is out of range"),
        ({"elastic_sigma": 0}, "elastic_sigma: is out of range"),
        ({"brightness": 3}, "unknown key 'brightness'"),
        ({"add": "much"}, "`add` has the wrong type"),
    ],
)
def test_settings_that_make_no_sense_are_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named.replace("?", r"\?")):
        from_mapping(Augmentation, values, "augmentation")


def test_settings_come_from_plain_values() -> None:
    plain = {"mode": "some", "filters": "add, blur", "add": 10, "temporal": "fresh"}
    expected = Augmentation(mode="some", temporal="fresh", filters=("add", "blur"), add=10.0)
    assert from_mapping(Augmentation, plain, "augmentation") == expected


def test_the_document_shows_every_setting_with_its_default() -> None:
    text = (Path(__file__).parents[3] / "docs" / "augmentation.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    values = parse_yaml(shown)
    assert list(values) == list(settings_of(Augmentation))
    assert from_mapping(Augmentation, values, "docs") == Augmentation(mode="some")
