"""Massive's flat files: listing, fetching, parsing."""
