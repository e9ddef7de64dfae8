"""Day bars and actions of Yahoo's chart interface."""

from ingot.connectors.yahoo.source import connector

__all__ = ["connector"]
