"""Exports that can be replayed."""
