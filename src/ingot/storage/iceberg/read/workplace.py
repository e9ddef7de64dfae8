"""What work on one table needs: its state, its files, and room for files that are not finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingot.storage.iceberg.layout.file_access import home_of

if TYPE_CHECKING:
    from ingot.storage.fs.durable import Scratch
    from ingot.storage.fs.object_store import ObjectStore
    from ingot.storage.iceberg.layout.file_access import FileAccess
    from ingot.storage.iceberg.read.scan_planner import Reader
    from ingot.tables.contract import Table


@dataclass(frozen=True, slots=True)
class Workplace:
    """One table of a lake, for those who write to it or look after it."""

    table: Table
    reader: Reader
    files: FileAccess
    scratch: Scratch
    """Local files that are not finished; it also names the processes that write to the lake now."""

    @property
    def objects(self) -> ObjectStore:
        """The store of the table's files."""
        return self.files.objects

    @property
    def home(self) -> str:
        """The table's folder: data/, metadata/, and orphans/ for what was set aside."""
        return home_of(self.table)
