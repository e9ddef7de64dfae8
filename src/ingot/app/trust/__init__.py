"""Checks, coverage, reconciliation, revisions."""
