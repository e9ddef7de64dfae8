"""Checks and fingerprints."""
