"""A map on a server: known by its record, brought here when somebody looks at it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.entry import MapFile, VoxelSource
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.names import SEPARATOR, MapName, split_extension
from napari_neurosynth_results.maps.programs import Reading, reading_of
from napari_neurosynth_results.sources.atlases.label_names import parse_label_xml
from napari_neurosynth_results.sources.files.folder import make_map_file
from napari_neurosynth_results.sources.files.images import open_image
from napari_neurosynth_results.sources.online.neurovault_records import ImageRecord
from napari_neurosynth_results.sources.online.store import Store
from napari_neurosynth_results.sources.web.client import (
    NotFoundError,
    RefusedAddressError,
)

_NO_NAMES: Mapping[int, str] = MappingProxyType({})


class RemoteMap:
    """A map of NeuroVault; a `MapEntry`, whose header is read when it has come.

    Parameters
    ----------
    image : ImageRecord
        What NeuroVault says of it.
    key : str
        Name of the map in its set.
    store : Store
        Where it comes from, and is kept.
    max_bytes : int
        Refuse files that would need more memory than this.
    address : str
        The web page of the image, without any secret.
    stated : Reading, optional
        What a user says that it holds.
    """

    #: It is downloaded, not computed.
    made_from: ClassVar[tuple[Any, ...]] = ()

    def __init__(
        self,
        image: ImageRecord,
        key: str,
        store: Store,
        max_bytes: int,
        address: str,
        stated: Reading | None = None,
    ) -> None:
        self.image = image
        self._key = key
        self._store = store
        self._max_bytes = max_bytes
        self._address = address
        self._stated = stated
        self._file: MapFile | None = None
        self._kept: bool | None = None
        self._lock = threading.Lock()

    @property
    def key(self) -> str:
        """Name of the map in its set."""
        return self._key

    @property
    def label(self) -> str:
        """What its uploader called it; in a NIDM-Results pack its class comes first."""
        image, stem = self.image, split_extension(self.image.filename)[0]
        if not image.pack:
            return image.name or self._key
        parts = [stem, image.name if split_extension(image.name)[0] != stem else ""]
        parts += [image.pack if self._key.startswith(f"{image.pack}_") else ""]
        return SEPARATOR.join(part for part in parts if part)

    @property
    def name(self) -> MapName | None:
        """The parsed file name, None when it is not NiMARE's."""
        return self.reading.name

    @property
    def kind(self) -> MapKind:
        """What the numbers are: by the file name first, then by NeuroVault's word."""
        return self.reading.kind

    @cached_property
    def reading(self) -> Reading:
        """What the map is taken for; the header, which comes later, is not asked."""
        image = self.image
        if self._stated is not None:
            return self._stated
        told = reading_of(self._called, 0, image.map_type, from_server=True)
        return replace(told, kind=MapKind.LABEL) if image.is_atlas else told

    def taken_as(self, reading: Reading) -> RemoteMap:
        """Return the map as what a user says that it holds."""
        return RemoteMap(
            self.image, self._key, self._store, self._max_bytes, self._address, reading
        )

    @property
    def path(self) -> str:
        """The web page of the image, without any secret."""
        return self._address

    @property
    def filename(self) -> str:
        """The name of the file on the server."""
        return self.image.filename

    @property
    def _called(self) -> str:
        return self.image.called or self.image.filename

    @property
    def nbytes(self) -> int | None:
        """Size of the file, None when unknown."""
        return self.image.size or None

    @property
    def at_hand(self) -> bool:
        """Whether the file is in the cache."""
        if self._file is None and self._kept is None:
            # Looked up once: this is asked for each map of a run while a slider moves.
            self._kept = self._store.find(self.image) is not None
        return self._file is not None or bool(self._kept)

    def fetch(self, job: Job) -> None:
        """Bring the file here and read its header.

        Raises
        ------
        ResultsError
            When it cannot be had.
        """
        with self._lock:
            if self._file is None:
                self._file = self._open(job)

    def _here(self) -> MapFile:
        self.fetch(Job())
        assert self._file is not None
        return self._file

    def _open(self, job: Job) -> MapFile:
        image = self.image
        try:
            path = self._store.fetch(image, job, self._max_bytes)
        except RefusedAddressError as error:
            # It names the host that the server points to, and not what was wanted.
            raise ResultsError(f"{image.filename} was not loaded: {error}") from error
        except NotFoundError as error:
            if image.filename.isascii():
                raise
            raise ResultsError(
                f"{error} NeuroVault cannot give out files with letters such as those "
                "in its name: ask its owner to rename it."
            ) from error
        volumes = open_image(str(path), self._max_bytes)
        file = make_map_file(
            volumes[0],
            key=self._key,
            filename=self._called,
            map_type=image.map_type,
            reading=self.reading,
        )
        notices = list(file.notices)
        if len(volumes) > 1:
            notices.append(
                f"{image.filename}: it holds {len(volumes)} volumes, and this is the "
                f"first. Open {path} to have them all."
            )
        if whose := image.other_species:
            notices.append(
                f"{image.filename}: it is in the space of {whose}, not in human MNI "
                "space"
            )
        names = self._label_names(job, notices)
        return replace(file, notices=tuple(notices), label_names=names)

    def _label_names(self, job: Job, notices: list[str]) -> Mapping[int, str]:
        """Fetch the names of an atlas's labels; without them the labels still show."""
        if not self.image.labels:
            return _NO_NAMES
        what = f"label names of {self.image.filename}"
        try:
            data = self._store.fetch_companion(self.image, self.image.labels, what, job)
            return parse_label_xml(data, what)
        except CancelledError:
            raise
        except ResultsError as error:
            notices.append(f"{self.image.filename}: its labels have no names: {error}")
            return _NO_NAMES

    @property
    def local_path(self) -> str:
        """Where the file is kept on this machine."""
        return self._here().path

    @property
    def grid(self) -> Grid:
        """Shape and affine."""
        return self._here().grid

    @property
    def notices(self) -> tuple[str, ...]:
        """What the header gives reason to say."""
        return self._here().notices

    @property
    def dof(self) -> float | tuple[float, float] | None:
        """Degrees of freedom that the header states."""
        return self._here().dof

    @property
    def label_names(self) -> Mapping[int, str]:
        """Names of labels, for an atlas."""
        return self._here().label_names

    @property
    def source(self) -> VoxelSource:
        """Where the voxels come from: itself."""
        return self

    def read(self) -> tuple[Voxels, tuple[str, ...]]:
        """Return the voxels on the map's grid and what had to be said about them.

        Raises
        ------
        ResultsError
            When the file cannot be had or read.
        """
        file = self._here()
        if not os.path.exists(file.path):
            # The cache made room for others.
            with self._lock:
                self._file = None
            file = self._here()
        voxels, notices = file.source.read()
        trouble = self._store.cache.trouble
        return voxels, (*notices, trouble) if trouble else notices

    def thumbnail(self, job: Job) -> bytes:
        """Return the picture of the map that NeuroVault made; empty when there is none.

        Raises
        ------
        ResultsError
            When it cannot be had.
        """
        if not self.image.thumbnail:
            return b""
        return self._store.fetch_companion(
            self.image, self.image.thumbnail, "thumbnail", job
        )
