"""Massive's REST reference data."""
