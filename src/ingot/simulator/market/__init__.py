"""The synthetic market: the truth."""
