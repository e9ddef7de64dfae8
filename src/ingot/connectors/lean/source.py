"""The connector `lean`: a folder with `factor_files` and `map_files`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from ingot.connectors.lean.bundle import FACTORS, MAPS, joined, split
from ingot.connectors.lean.factors import read_actions
from ingot.connectors.lean.maps import read_instruments
from ingot.connectors.lean.sessions import next_session
from ingot.connectors.reference.base import ReferenceSource, deliver
from ingot.connectors.reference.datasets import ACTIONS, INSTRUMENTS, reference_datasets
from ingot.connectors.transport.local_copy import Stamp
from ingot.errors import ConfigError, NotPublishedError, SourceUnavailableError
from ingot.folders import names
from ingot.model.landing import Content, RemoteObject
from ingot.model.vendor_files import inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from ingot.connectors.base import Fetched, FileSource, Parser
    from ingot.connectors.reference.rows import Bad, Good
    from ingot.model.landing import Landing
    from ingot.model.time import Clock
    from ingot.tables.dataset import Dataset

NAME: Final = "lean"
DATASETS: Final = reference_datasets(ACTIONS, INSTRUMENTS)
_FOLDERS: Final = {ACTIONS: FACTORS, INSTRUMENTS: MAPS}
_NESTED: Final = ("", "equity/usa", "usa", "Data/equity/usa", "data/equity/usa")
_SUFFIX: Final = ".csv"


class LeanSettings(BaseModel):
    """LEAN's files need no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LeanSource(ReferenceSource):
    """Factor and map files of US equities; one object per file."""

    def __init__(self, root: Path) -> None:
        super().__init__(NAME, str(root), DATASETS)
        self._root = root

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the dataset's files by name; a factor file's etag is also its map file's.

        Raises:
            ConfigError: The dataset is unknown.
            SourceUnavailableError: The folder cannot be read.
        """
        del start
        self.dataset(dataset)
        folder = _FOLDERS[dataset]
        file_date = end - timedelta(days=1)
        try:
            there = sorted(n for n in names(self._root / folder) if n.endswith(_SUFFIX))
            return tuple(self._listed(dataset, folder, name, file_date) for name in there)
        except OSError as exc:
            raise _unreadable(exc) from exc

    def _listed(self, dataset: str, folder: str, name: str, file_date: date) -> RemoteObject:
        stamps = [Stamp.of(path.stat()) for path in self._paths(folder, name)]
        return RemoteObject(
            source=NAME,
            dataset=dataset,
            file_date=file_date,
            key=f"{dataset}/{folder}/{name}",
            etag=" ".join(stamp.etag for stamp in stamps),
            size_bytes=sum(stamp.size for stamp in stamps),
            last_modified=max(stamps, key=lambda stamp: stamp.mtime_ns).modified,
        )

    def _paths(self, folder: str, name: str) -> Sequence[Path]:
        """Return the file and, for a factor file, the map file that names its symbols."""
        paths = [self._root / folder / name]
        if folder == FACTORS and (named := self._root / MAPS / name).is_file():
            paths.append(named)
        return paths

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Write the file, and the map file of a factor file, to `to`.

        Raises:
            NotPublishedError: The file is gone.
            SourceUnavailableError: It cannot be read.
            LookAtDataError: A link leads out of the folder.
            StorageFullError: The disk is full.
        """
        _, folder, name = remote.key.split("/")
        try:
            files = {
                path.relative_to(self._root).as_posix(): inside(self._root, path).read_bytes()
                for path in self._paths(folder, name)
            }
        except FileNotFoundError as exc:
            raise NotPublishedError(
                f"{exc.filename} was listed but is gone. Run the command again when no "
                "process writes to the folder."
            ) from exc
        except OSError as exc:
            raise _unreadable(exc) from exc
        return deliver(joined(files), to, advance)

    def read(self, landing: Landing, content: Content) -> Iterable[Good | Bad]:
        """Return the actions of a factor file, or the symbols of a map file.

        Raises:
            CorruptFileError: The bytes are no text, or empty.
        """
        files = split(content.read_bytes(), landing.key)
        if landing.dataset == INSTRUMENTS:
            return read_instruments(files.get(MAPS, []))
        return read_actions(
            files.get(FACTORS, []),
            files.get(MAPS, []),
            permanent=Path(landing.key).stem.upper(),
            next_session=next_session,
        )


class LeanConnector:
    """Opens a folder of LEAN's data; it has no market files yet."""

    @property
    def name(self) -> str:
        """The name of the entry point."""
        return NAME

    @property
    def settings(self) -> type[BaseModel]:
        """Model of the section `[lean]`, which is empty."""
        return LeanSettings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Actions and instruments."""
        return DATASETS

    def open_reference(
        self, location: str, settings: BaseModel, *, clock: Clock | None = None
    ) -> FileSource:
        """Return the source at `location`, the folder itself or one above equity/usa.

        Raises:
            ConfigError: There are neither factor nor map files.
        """
        del clock
        del settings
        given = Path(location).expanduser().absolute()
        for nested in _NESTED if location else ():
            root = given / nested
            if any((root / folder).is_dir() for folder in (FACTORS, MAPS)):
                return LeanSource(root)
        raise ConfigError(
            f"The folder {str(given) if location else location!r} holds neither {FACTORS} nor "
            f"{MAPS}. Name LEAN's folder of US equities: lean:DIR"
        )

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a dataset."""
        del dataset, settings
        return LeanSource(Path())


connector: Final = LeanConnector()


def _unreadable(exc: OSError) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{exc.filename} cannot be read: {exc.strerror}. Allow reading it and try again."
    )
