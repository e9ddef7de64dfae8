"""What a package needs to derive tables of its own; see docs/how-to/add-a-table.md."""

from ingot.app.step import Feed, Input, Step, UnitRows, Work
from ingot.tables.contract import Table
from ingot.transforms.history import versioned_sql
from ingot.transforms.transform import Transform

__all__ = ["Feed", "Input", "Step", "Table", "Transform", "UnitRows", "Work", "versioned_sql"]
