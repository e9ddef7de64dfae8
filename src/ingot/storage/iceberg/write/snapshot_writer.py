"""Assembles a snapshot: its manifests, its manifest list, and the updates that add it.

PyIceberg's own producers read every entry of every manifest of a partition for each commit, write
one manifest over all partitions, and delete manifests of commits whose outcome is unknown. This
one writes with PyIceberg's manifest writers, keeps at most two manifests per partition, and
deletes nothing.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from time import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import (
    Operation,
    Snapshot,
    SnapshotSummaryCollector,
    Summary,
    update_snapshot_summaries,
)
from pyiceberg.table.update import (
    AddSnapshotUpdate,
    AssertRefSnapshotId,
    AssertTableUUID,
    SetSnapshotRefUpdate,
)
from pyiceberg.typedef import Record

from ingot.storage.iceberg.catalog.new_tables import SORT_ORDER_ID
from ingot.storage.iceberg.write.commit import Proposal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyiceberg.io import OutputFile
    from pyiceberg.table import Table as IcebergTable

    from ingot.storage.iceberg.write.staged_file import StagedFile

MAX_MANIFESTS_PER_PARTITION: Final = 2


@dataclass(frozen=True, slots=True)
class Change:
    """What one snapshot does to the set of live files."""

    remove: frozenset[str]
    """Locations of data files."""
    remove_from: frozenset[str]
    """Locations of the manifests that name them."""
    add: tuple[StagedFile, ...]
    preserves_content: bool
    """True when the table holds the same rows before and after."""
    properties: Mapping[str, str]
    """Goes into the snapshot's summary."""


@dataclass
class _Group:
    """The manifests of one partition that a change touches."""

    dirty: list[ManifestFile] = field(default_factory=list)
    added: list[StagedFile] = field(default_factory=list)


_Key = tuple[int, bytes | str]
"""Spec id with the partition's bytes; or with a name that is the manifest's own."""


def assemble(table: IcebergTable, change: Change) -> Proposal:
    """Write the manifests of a change on top of the table's head and return what to commit.

    Args:
        table: The state that the change was planned on; the commit requires that it is current.
        change: Files to remove and to add.
    """
    return _Assembly(table, change).propose()


class _Assembly:
    def __init__(self, table: IcebergTable, change: Change) -> None:
        self._table, self._change = table, change
        self._files = {file.location: file.size_bytes for file in change.add}
        self._metadata = table.metadata
        self._parent = table.metadata.current_snapshot()
        self._snapshot_id = table.metadata.new_snapshot_id()
        self._name = uuid4()
        self._numbers = count()
        self._summary = SnapshotSummaryCollector()
        self._compression = table.metadata.properties.get("write.avro.compression-codec", "gzip")

    def propose(self) -> Proposal:
        manifests = self._manifests()
        head = self._parent.snapshot_id if self._parent else None
        snapshot = Snapshot.model_validate(
            {
                "snapshot-id": self._snapshot_id,
                "parent-snapshot-id": head,
                "manifest-list": self._write_list(manifests),
                "sequence-number": self._metadata.next_sequence_number(),
                "timestamp-ms": max(int(time() * 1000), self._metadata.last_updated_ms),
                "summary": self._summarize(),
                "schema-id": self._metadata.current_schema_id,
            }
        )
        becomes_head = {
            "snapshot-id": self._snapshot_id,
            "ref-name": MAIN_BRANCH,
            "type": SnapshotRefType.BRANCH,
        }
        return Proposal(
            updates=(
                AddSnapshotUpdate(snapshot=snapshot),
                SetSnapshotRefUpdate.model_validate(becomes_head),
            ),
            requirements=(
                AssertTableUUID(uuid=self._metadata.table_uuid),
                AssertRefSnapshotId.model_validate({"ref": MAIN_BRANCH, "snapshot-id": head}),
            ),
            snapshot_id=self._snapshot_id,
            files=self._files,
        )

    def _manifests(self) -> list[ManifestFile]:
        kept, clean, touched = self._sort_out()
        written = []
        for key, group in touched.items():
            beside = clean.pop(key, [])
            if len(beside) + 1 > MAX_MANIFESTS_PER_PARTITION:
                written.append(self._write(key[0], group.dirty + beside, group.added))
            else:
                kept += beside
                written.append(self._write(key[0], group.dirty, group.added))
        return written + kept + [manifest for group in clean.values() for manifest in group]

    def _sort_out(
        self,
    ) -> tuple[list[ManifestFile], dict[_Key, list[ManifestFile]], dict[_Key, _Group]]:
        """Return manifests of delete files, untouched ones and touched ones by partition."""
        kept: list[ManifestFile] = []
        clean: dict[_Key, list[ManifestFile]] = defaultdict(list)
        touched: dict[_Key, _Group] = defaultdict(_Group)
        for manifest in self._parent.manifests(self._table.io) if self._parent else ():
            if not (manifest.has_added_files() or manifest.has_existing_files()):
                continue
            if manifest.content == ManifestContent.DELETES:
                kept.append(manifest)
            elif manifest.manifest_path in self._change.remove_from:
                touched[_key(manifest)].dirty.append(manifest)
            else:
                clean[_key(manifest)].append(manifest)
        for file in self._change.add:
            value = b"" if file.partition is None else struct.pack("<i", file.partition)
            touched[self._metadata.default_spec_id, value].added.append(file)
        return kept, clean, touched

    def _write(
        self, spec_id: int, manifests: Iterable[ManifestFile], added: Iterable[StagedFile]
    ) -> ManifestFile:
        specs = self._metadata.specs()
        # Read first: a writer that is left without an entry hides why.
        entries = [
            entry
            for manifest in manifests
            for entry in manifest.fetch_manifest_entry(self._table.io, discard_deleted=True)
        ]
        with write_manifest(
            format_version=self._metadata.format_version,
            spec=specs[spec_id],
            schema=self._metadata.schema(),
            output_file=self._output(f"{self._name}-m{next(self._numbers)}"),
            snapshot_id=self._snapshot_id,
            avro_compression=self._compression,  # type: ignore[arg-type]  # as Iceberg spells it
        ) as writer:
            for entry in entries:
                if entry.data_file.file_path in self._change.remove:
                    self._summary.remove_file(
                        entry.data_file, self._metadata.schema(), specs[spec_id]
                    )
                    writer.delete(entry)
                else:
                    writer.existing(entry)
            for file in added:
                writer.add(self._entry(file))
        manifest = writer.to_manifest_file()
        self._files[manifest.manifest_path] = manifest.manifest_length
        return manifest

    def _entry(self, file: StagedFile) -> ManifestEntry:
        data_file = data_file_of(file, self._metadata.default_spec_id)
        self._summary.add_file(data_file, self._metadata.schema(), self._metadata.spec())
        return ManifestEntry.from_args(
            status=ManifestEntryStatus.ADDED,
            snapshot_id=self._snapshot_id,
            sequence_number=None,
            file_sequence_number=None,
            data_file=data_file,
        )

    def _write_list(self, manifests: list[ManifestFile]) -> str:
        output = self._output(f"snap-{self._snapshot_id}-0-{self._name}")
        with write_manifest_list(
            format_version=self._metadata.format_version,
            output_file=output,
            snapshot_id=self._snapshot_id,
            parent_snapshot_id=self._parent.snapshot_id if self._parent else None,
            sequence_number=self._metadata.next_sequence_number(),
            avro_compression=self._compression,  # type: ignore[arg-type]  # as Iceberg spells it
        ) as writer:
            writer.add_manifests(manifests)
        self._files[output.location] = len(output)
        return output.location

    def _output(self, name: str) -> OutputFile:
        location = self._table.location_provider().new_metadata_location(f"{name}.avro")
        return self._table.io.new_output(location)

    def _summarize(self) -> Summary:
        summary = update_snapshot_summaries(
            Summary(Operation.OVERWRITE, **self._summary.build(), **self._change.properties),
            self._parent.summary if self._parent else None,
        )
        return Summary(self._operation(), **summary.additional_properties)

    def _operation(self) -> Operation:
        if self._change.preserves_content:
            return Operation.REPLACE
        if not self._change.remove:
            return Operation.APPEND
        return Operation.OVERWRITE if self._change.add else Operation.DELETE


def _key(manifest: ManifestFile) -> _Key:
    """Return the one partition that a manifest is of, or its own name if it is of several."""
    parts = manifest.partitions or []
    if not parts:
        return manifest.partition_spec_id, b""
    low, high = parts[0].lower_bound, parts[0].upper_bound
    if len(parts) > 1 or parts[0].contains_null or low is None or low != high:
        return manifest.partition_spec_id, manifest.manifest_path
    return manifest.partition_spec_id, low


def data_file_of(file: StagedFile, spec_id: int) -> DataFile:
    """Return what a manifest says of a staged file."""
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=file.location,
        file_format=FileFormat.PARQUET,
        partition=Record() if file.partition is None else Record(file.partition),
        record_count=file.rows,
        file_size_in_bytes=file.size_bytes,
        column_sizes={},
        nan_value_counts={},
        value_counts=dict.fromkeys(file.null_counts, file.rows),
        null_value_counts=dict(file.null_counts),
        lower_bounds=dict(file.lower),
        upper_bounds=dict(file.upper),
        split_offsets=list(file.split_offsets),
        sort_order_id=SORT_ORDER_ID if file.in_order else None,
        spec_id=spec_id,
    )
