"""The state of a viewer, read into plain words: results, maps, thresholds, names."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.api import mask_from_file
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.workspace.contents import (
    Clusters,
    Description,
    FociReference,
    GivenName,
    Map,
    MaskReference,
    Pair,
    SavedRequest,
    Source,
    StatedKind,
)
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet, result_of
from napari_neurosynth_results.maps.statmap import Mask, StatMap
from napari_neurosynth_results.maps.studies import StudyFile
from napari_neurosynth_results.sources.online.links import is_sealed_name
from napari_neurosynth_results.sources.opening import is_link
from napari_neurosynth_results.sources.web.allowed_hosts import redact
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.derived_maps import parent_clusters
from napari_neurosynth_results.statistics.thresholds.masks import Masking
from napari_neurosynth_results.statistics.thresholds.request import ThresholdRequest
from napari_neurosynth_results.viewer.clusters.atlas_choice import describe_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of
from napari_neurosynth_results.viewer.clusters.mask_choice import BRAIN, MaskChoice
from napari_neurosynth_results.viewer.compare.comparison_layers import compared_in
from napari_neurosynth_results.viewer.foci import owner_of, studies_of
from napari_neurosynth_results.viewer.layers import map_of
from napari_neurosynth_results.viewer.settings import read_settings

if TYPE_CHECKING:
    from napari.layers import Labels, Layer
    from napari.viewer import Viewer


def describe(viewer: Viewer) -> Description:
    """Say what is open in a viewer, and what was asked of it.

    Returns
    -------
    Description
        From the lowest layer to the topmost; no voxels, and no private token.
    """
    reader = StateReader(viewer)
    for layer in viewer.layers:
        reader.layer(layer)
    return reader.description


class StateReader:
    """Numbers what layers refer to, each thing once.

    Parameters
    ----------
    viewer : Viewer
        Whose layers are read.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._online = read_settings().online
        self._results: list[ResultSet] = []
        self._maps: list[StatMap] = []
        self._found: list[ClusterSet] = []
        self._pairs: list[tuple[int, int]] = []
        self._sources: list[Source] = []
        self._described: dict[int, Map] = {}
        self._clusters: dict[int, Clusters] = {}
        self._foci: list[FociReference] = []
        #: Clusters that are being described: a mask may not be made of itself.
        self._under_way: list[int] = []
        #: Names may have been given since clusters were compared.
        self._now = {
            id(shown.labelled): shown
            for layer in viewer.layers
            if (shown := clusters_of(layer)) is not None
        }

    @property
    def description(self) -> Description:
        """All that was read so far."""
        return Description(
            tuple(self._sources),
            tuple(self._described[number] for number in range(len(self._maps))),
            tuple(self._clusters[number] for number in range(len(self._found))),
            tuple(Pair(a, b) for a, b in self._pairs),
            tuple(self._foci),
        )

    def layer(self, layer: Layer) -> None:
        """Read what a layer shows; layers of others are passed over."""
        if (statmap := map_of(layer)) is not None:
            self.map(statmap)
        elif (clusters := clusters_of(layer)) is not None:
            self.clusters(clusters)
        elif (pair := compared_in(layer)) is not None:
            self.pair(pair.a, pair.b)
        elif studies_of(layer) is not None:
            self.foci(layer)

    # --- results and maps -------------------------------------------------------------

    def source(self, results: ResultSet) -> int:
        """Return the number of a result."""
        if results not in self._results:
            self._results.append(results)
            stated = results.stated.items()
            kinds = tuple(StatedKind(key, text) for key, text in stated)
            self._sources.append(replace(self._source(results), kinds=kinds))
        return self._results.index(results)

    def _source(self, results: ResultSet) -> Source:
        source, title = results.source, results.title
        files = list(dict.fromkeys(statmap.path for statmap in results.maps.values()))
        # Several files are told in one text, which does not open them again.
        if files and files != [source] and all(file in source for file in files):
            return Source(tuple(files), title)
        if os.path.exists(source) or not _is_address(source, self._online):
            return Source((source,), title)
        told = redact(source, self._online)
        here = [key for key, statmap in results.maps.items() if statmap.at_hand]
        fetched = tuple(here) if len(here) < len(results.maps) else ()
        private = is_sealed_name(source) or told != source
        return Source((told,), redact(title, self._online), True, private, fetched)

    def map(self, statmap: StatMap) -> int:
        """Return the number of a map."""
        if statmap in self._maps:
            return self._maps.index(statmap)
        parts = parent_clusters(statmap)
        if parts:
            a, b = parts
            made: Any = "difference" if statmap.kind is MapKind.OTHER else "conjunction"
            found = Map(statmap.key, statmap.title, None, self.pair(a, b), made)
        else:
            found = Map(statmap.key, statmap.title, self.source(result_of(statmap)))
        self._maps.append(statmap)
        self._described[len(self._maps) - 1] = found
        return len(self._maps) - 1

    # --- clusters ---------------------------------------------------------------------

    def clusters(self, clusters: ClusterSet) -> int:
        """Return the number of the clusters of a map."""
        clusters = self._now.get(id(clusters.labelled), clusters)
        same = [
            number
            for number, one in enumerate(self._found)
            if one.labelled is clusters.labelled
        ]
        if same:
            return same[0]
        on = self.map(clusters.statmap)
        asked = self._asked_of(clusters)
        self._found.append(clusters)
        self._clusters[len(self._found) - 1] = Clusters(
            on,
            asked,
            describe_atlas(self.viewer, clusters.atlas),
            tuple(GivenName(*one) for one in clusters.given_names.items()),
            str(clusters),
        )
        return len(self._found) - 1

    def _asked_of(self, clusters: ClusterSet) -> SavedRequest:
        self._under_way.append(id(clusters.labelled))
        try:
            place = self._place_of(clusters.statmap, clusters.threshold.masking)
        finally:
            self._under_way.pop()
        return ThresholdRequest(clusters.asked, place, clusters.evidence.dof)

    def pair(self, a: ClusterSet, b: ClusterSet) -> int:
        """Return the number of a comparison."""
        pair = self.clusters(a), self.clusters(b)
        if pair not in self._pairs:
            self._pairs.append(pair)
        return self._pairs.index(pair)

    # --- places -----------------------------------------------------------------------

    def _place_of(
        self, statmap: StatMap, masking: Masking | None
    ) -> MaskReference | None:
        """Say where was looked, by what gives the very same voxels again."""
        if masking is None:
            return None
        if not isinstance(masking.origin, MaskChoice):
            return MaskReference("painted", name=masking.sentence)
        where = masking.origin
        return self.place(where) or self._layer_place(
            statmap, where.what, where.outside, masking.mask
        )

    def place(self, where: MaskChoice) -> MaskReference | None:
        """Describe a place, None for one that is a layer of labels."""
        if isinstance(where.what, StatMap):
            on = self.map(where.what)
            return MaskReference(
                "map", on, where.p, name=str(where), outside=where.outside
            )
        if where.what == BRAIN:
            return MaskReference("brain", name=BRAIN)
        if isinstance(where.what, str):
            return MaskReference(
                "file", path=where.what, name=str(where), outside=where.outside
            )
        return None

    def _layer_place(
        self, statmap: StatMap, layer: Labels | Any, outside: bool, mask: Mask
    ) -> MaskReference:
        """Find out what a layer of labels shows, if that is what it showed then."""
        shown = clusters_of(layer)
        again = MaskChoice(layer, outside=outside)
        if (
            shown is not None
            and layer in self.viewer.layers
            and id(shown.labelled) not in self._under_way
            and _gives(lambda: again.masking(statmap), mask)
        ):
            number = self.clusters(shown)
            return MaskReference(
                "clusters", clusters=number, name=layer.name, outside=outside
            )
        path = _file_of(layer)
        if path and _gives(
            lambda: mask_from_file(statmap, path, exclusive=outside), mask
        ):
            return MaskReference("file", path=path, name=layer.name, outside=outside)
        return MaskReference("painted", name=layer.name, outside=outside)

    # --- foci -------------------------------------------------------------------------

    def foci(self, layer: Layer) -> int:
        """Return the number of the foci of a layer."""
        studies = studies_of(layer)
        assert studies is not None
        results = owner_of(self.viewer, studies)
        if results is not None:
            found = FociReference(self.source(results), title=layer.name)
        else:
            file = studies.file or StudyFile("")
            found = FociReference(
                None, file.path, file.annotation, file.include, layer.name
            )
        self._foci.append(found)
        return len(self._foci) - 1


def _is_address(source: str, online: Any) -> bool:
    return "://" in source or is_sealed_name(source) or is_link(source, online)


def _file_of(layer: Layer) -> str:
    """Return the file that a layer was read from, whoever read it."""
    statmap = map_of(layer)
    path = statmap.path if statmap is not None else getattr(layer.source, "path", None)
    return path if path and os.path.isfile(path) else ""


def _gives(make: Any, mask: Mask) -> bool:
    try:
        found: Mask = make().mask
    except ResultsError:
        return False
    return np.array_equal(found, mask)
