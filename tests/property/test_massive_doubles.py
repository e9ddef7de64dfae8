"""Blocks read by way of doubles hold the decimals that stand in the text."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingot.connectors.massive.datasets import COLUMNS
from ingot.connectors.massive.flatfiles import block as block_module
from ingot.connectors.massive.flatfiles.block import BlockRefusedError, read_block
from ingot.connectors.massive.flatfiles.fast_decimals import may_be_doubles
from ingot.model.time import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

SPAN = Interval(0, 10)
millionths = st.integers(0, (1 << 51) - 1)


def block(*volumes: str) -> bytes:
    return "".join(f"A,{volume},1,1,1,1,{n},1\n" for n, volume in enumerate(volumes)).encode()


@pytest.fixture(autouse=True, scope="module")
def small_blocks_too() -> Iterator[None]:
    """Read every block by way of doubles, if it can be."""
    with patch.object(block_module, "LEAST_BYTES_OF_DOUBLES", 0):
        yield


def volumes_of(text: bytes) -> list[Decimal]:
    column: Any = read_block(text, COLUMNS, SPAN).rows.column("volume")
    return list(column.to_pylist())


@given(st.lists(millionths, min_size=1, max_size=8))
@example([(1 << 51) - 1, 1, 0, 2_251_799_813_685_247])
def test_every_number_of_millionths_is_exact(counts: list[int]) -> None:
    texts = [f"{n // 10**6}.{n % 10**6:06d}" for n in counts]
    assert may_be_doubles(block(*texts))
    assert volumes_of(block(*texts)) == [Decimal(text) for text in texts]


@given(st.integers(1 << 51, 10**18 - 1))
@example(10**18 - 1)
def test_numbers_too_large_for_doubles_are_exact_too(count: int) -> None:
    text = f"{count // 10**6}.{count % 10**6:06d}"
    assert volumes_of(block("1", text)) == [Decimal(1), Decimal(text)]


@pytest.mark.parametrize("text", ["1.0000000000000001", "1e-7", "0.1234567", "10e-8", "-0.0000001"])
def test_a_number_that_a_double_would_round_is_refused(text: str) -> None:
    assert not may_be_doubles(block(text))
    with pytest.raises(BlockRefusedError, match="closer look"):
        read_block(block("1", text), COLUMNS, SPAN)


@pytest.mark.parametrize("text", ["inf", "nan", "Infinity", "1e400", "", " ", "1x", "."])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BlockRefusedError, match="closer look"):
        read_block(block("1", text), COLUMNS, SPAN)


@pytest.mark.parametrize(("text", "value"), [("1e2", 100), ("1.5E3", 1500), ("2.500000", "2.5")])
def test_other_spellings_of_a_number_are_that_number(text: str, value: str) -> None:
    assert volumes_of(block(text)) == [Decimal(value)]
