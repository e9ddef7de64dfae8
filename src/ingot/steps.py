"""What a package needs to derive tables of its own; see docs/how-to/add-a-table.md."""

from ingot.app.refine.step import Feed, Input, Step, UnitRows, Work
from ingot.tables.contract import Table
from ingot.transforms.transform import Transform
from ingot.transforms.version_history import versioned_sql

__all__ = ["Feed", "Input", "Step", "Table", "Transform", "UnitRows", "Work", "versioned_sql"]
