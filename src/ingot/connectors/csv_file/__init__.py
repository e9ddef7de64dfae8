"""Actions and instruments from a plain CSV file, or actions from a table of daily prices."""

from ingot.connectors.csv_file.source import connector

__all__ = ["connector"]
