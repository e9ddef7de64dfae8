"""Actions and instruments from LEAN's factor files and map files."""

from ingot.connectors.lean.source import connector

__all__ = ["connector"]
