"""A local folder that mirrors the vendor's tree."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ingot.connectors.massive.datasets import DATASETS, NAME
from ingot.connectors.massive.flatfiles.keys import SUFFIX, day_of, months
from ingot.connectors.massive.flatfiles.source import MassiveFiles
from ingot.connectors.transport.local_copy import Stamp, copy_file
from ingot.errors import ConfigError, SourceUnavailableError
from ingot.folders import entries
from ingot.model.landing import RemoteObject
from ingot.model.vendor_files import inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from ingot.connectors.base import Fetched
    from ingot.connectors.massive.settings import MassiveSettings
    from ingot.connectors.transport.backoff import Backoff


class FolderSource(MassiveFiles):
    """Files below a folder, at the vendor's own keys; an entity tag is size and mtime."""

    def __init__(self, root: Path, settings: MassiveSettings, backoff: Backoff) -> None:
        super().__init__(str(root), settings, backoff)
        self._root = root

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the files there for file dates in `[start, end)`, ascending.

        Looks only into the folders of those months; names that are not the vendor's are passed
        over.

        Raises:
            ConfigError: The folder is not a tree of this vendor, or the dataset is unknown.
            SourceUnavailableError: A folder cannot be read.
        """
        self._dataset(dataset)
        found: list[RemoteObject] = []
        try:
            for year, of_year in groupby(months(start, end), lambda month: month[:4]):
                if os.path.lexists(self._root / dataset / year):
                    for month in of_year:
                        found += self._month(dataset, month)
        except OSError as exc:
            raise SourceUnavailableError(
                f"The folder {exc.filename} cannot be read: {exc.strerror}. "
                "Mount it or allow reading it, and run the command again."
            ) from exc
        if not found:
            self._check_tree()
        return sorted((r for r in found if start <= r.file_date < end), key=lambda r: r.file_date)

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Copy the file to `to`, hashing it; begin anew when it changes under the copy.

        Raises:
            NotPublishedError: The file is gone.
            SourceUnavailableError: It cannot be read, or changes all the time.
            LookAtDataError: A link leads out of the tree.
            StorageFullError: The disk is full.
        """
        path = self._root / remote.key
        inside(self._root, path)
        return copy_file(path, to, advance, listed_etag=remote.etag, backoff=self._backoff)

    def _month(self, dataset: str, month: str) -> Iterator[RemoteObject]:
        try:
            found = entries(self._root / dataset / month)
        except NotADirectoryError:
            found = []
        if not found:
            self._refuse_blocked(dataset, month)
        for entry in found:
            key = f"{dataset}/{month}/{entry.name}"
            day = day_of(dataset, key) if entry.name.endswith(SUFFIX) else None
            if day is not None:  # a folder or broken link is named when it is fetched
                stamp = Stamp.of(entry.stat(follow_symlinks=Path(entry).exists()))
                yield RemoteObject(
                    source=NAME,
                    dataset=dataset,
                    file_date=day,
                    key=key,
                    etag=stamp.etag,
                    size_bytes=stamp.size,
                    last_modified=stamp.modified,
                )

    def _refuse_blocked(self, dataset: str, month: str) -> None:
        """Raise where a file or a link to nothing is in the place of a folder."""
        for folder in (self._root / dataset / month, self._root / dataset / month[:4]):
            if os.path.lexists(folder) and not folder.is_dir():
                raise ConfigError(
                    f"{folder} is not a folder: it is a file or a link to nothing. Put the folder "
                    "in its place, or remove it, and run the command again."
                )

    def _check_tree(self) -> None:
        """Refuse a folder without any of the vendor's datasets."""
        if any((self._root / name).is_dir() for name in DATASETS):
            return
        problem = "holds none of them" if self._root.is_dir() else "is not a folder"
        raise ConfigError(
            f"{self._root} {problem}. The source of massive is the folder that holds "
            f"{', '.join(DATASETS)}, each with YYYY/MM/YYYY-MM-DD{SUFFIX} below it."
        )
