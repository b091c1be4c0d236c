"""Batches of several processes: together they are those of one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import SequentialSampler

from actionbench.training.inputs.examples import EpochOrder, Shares
from actionbench.training.ranks.group import ALONE, Ranks


@given(count=st.integers(1, 40), ranks=st.integers(1, 5), each=st.integers(1, 4), epoch=st.integers(0, 3))
def test_each_example_counts_once_in_the_batch_that_it_has_in_one_process(
    count: int, ranks: int, each: int, epoch: int
) -> None:
    def batches(of: Ranks) -> list[list[tuple[tuple[int, int], bool]]]:
        order = EpochOrder(count, seed=7)
        order.set_epoch(epoch)
        found = Shares(order, ranks * each, of)
        assert len(found) == len(list(found))
        return list(found)

    shares = [batches(Ranks(rank, rank, ranks)) for rank in range(ranks)]
    assert len({len(share) for share in shares}) == 1, "they compute each batch together"
    for whole, *parts in zip(batches(ALONE), *shares, strict=True):
        counted = [key for part in parts for key, counts in part if counts]
        assert sorted(counted) == sorted(key for key, _ in whole)
        for part in parts:
            assert 1 <= len(part) <= each
            assert len({counts for _, counts in part}) == 1, "all of a share count, or none"


def test_an_example_that_does_not_count_is_one_of_the_batch() -> None:
    last = list(Shares(SequentialSampler(range(4)), 3, Ranks(2, 2, 3)))[-1]
    assert last == [(3, False)]
