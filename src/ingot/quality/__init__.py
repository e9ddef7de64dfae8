"""Checks of rows and schemas, coverage, reconciliation, and the hash of content."""
