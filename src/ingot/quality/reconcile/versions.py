"""Causes in which version of a bar a side has: published again, or not published yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.quality.reconcile.pairs import PRICES
from ingot.quality.reconcile.sections import either_way, section

if TYPE_CHECKING:
    from ingot.quality.reconcile.pairs import Tolerance


def republished(name: str, which: str, tolerance: Tolerance) -> str:
    """Return the text that names keys at which an earlier version agrees with the other side.

    Args:
        name: Relation of the first versions of the side's bars, aligned.
        which: a or b: that side.
        tolerance: What still agrees.
    """
    other = "b" if which == "a" else "a"
    differs = [tolerance.price_differs(f"f.{n}", f"p.{n}_{other}") for n in PRICES]
    differs.append(tolerance.volume_differs("f.volume", f"p.volume_{other}"))
    return section("versions", "republished", one=which, first=name, differs=" OR ".join(differs))


def two_moments() -> str:
    """Return the text that names every difference between two moments of one table."""
    return section("versions", "two_moments")


def unpublished() -> str:
    """Return the text that names bars beyond the last date that the other side has."""
    return either_way("versions", ["unpublished"])


def duplicates() -> str:
    """Return the text that says of keys with several rows whether those agree."""
    return either_way("versions", ["duplicates"])
