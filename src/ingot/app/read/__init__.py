"""Queries: bars, SQL, symbols, as known at a moment."""
