"""The contract of a connector as checks that a connector's own tests call."""

from ingot.testing.connector import check_connector

__all__ = ["check_connector"]
