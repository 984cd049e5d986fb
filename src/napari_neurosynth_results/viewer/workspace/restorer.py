"""A workspace -> layers: each made when something needs it, and only once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.api.map_requests import requested_clusters
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.workspace.contents import (
    MaskReference,
    Naming,
    SavedRequest,
)
from napari_neurosynth_results.export.workspace.file import LayerState, Workspace
from napari_neurosynth_results.job import Job
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.sources.studies.study_files import open_studies
from napari_neurosynth_results.statistics.clusters.active_parts import (
    ActiveParts,
    find_active_parts,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.comparison import (
    Comparison,
    compare,
)
from napari_neurosynth_results.statistics.thresholds.request import ThresholdRequest
from napari_neurosynth_results.viewer.canvas import dress
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    show_clusters,
    show_parts,
    with_companions,
)
from napari_neurosynth_results.viewer.clusters.history import ThresholdHistory, remember
from napari_neurosynth_results.viewer.clusters.mask_choice import (
    BRAIN,
    MaskChoice,
    ViewerRequest,
)
from napari_neurosynth_results.viewer.compare.comparison_layers import show_agreement
from napari_neurosynth_results.viewer.foci import show_foci
from napari_neurosynth_results.viewer.layers import (
    UNDERLAY_KEY,
    LayerTuple,
    map_layer,
    map_of,
    underlay_layer,
)
from napari_neurosynth_results.viewer.shown_maps import work_with
from napari_neurosynth_results.viewer.workspace.appearance import apply_look

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_neurosynth_results.maps.studies import Studies

Item = TypeVar("Item")


class _NeedsViewerError(ResultsError):
    """Something can only be made where layers are."""


class Restorer:
    """Adds the layers of a workspace to a viewer.

    Parameters
    ----------
    viewer : Viewer
        Where to.
    workspace : Workspace
        What it holds, with paths that are right here.
    results : sequence of ResultSet or None
        Its sources, None for those that could not be opened.

    Attributes
    ----------
    told : list of str
        What could not be restored, and why.
    """

    def __init__(
        self,
        viewer: Viewer,
        workspace: Workspace,
        results: Sequence[ResultSet | None],
    ) -> None:
        self._viewer = viewer
        self._contents = workspace.contents
        self._looks = workspace.layers
        self._active, self._worked_with = workspace.active, workspace.worked_with
        self._results = results
        self._made: dict[tuple[str, int], Any] = {}
        self._under_way: list[tuple[str, int]] = []
        self._is_apart = False
        self.told: list[str] = []

    def work_out(self, job: Job) -> None:
        """Find what takes time before anything is shown, on any thread.

        What refers to layers, and what fails, is left to `restore`.

        Parameters
        ----------
        job : Job
            Hears how far it is.

        Raises
        ------
        CancelledError
            When the job was cancelled; nothing is shown then.
        """
        find: dict[str, Callable[[int], object]] = {
            "map": self._made_layer,
            "clusters": self._shown_clusters,
            "agreement": lambda number: self.comparison(number).agreement,
            "foci": self._studies,
        }
        self._is_apart = True
        try:
            for number, look in enumerate(self._looks):
                job.report("layers", number, len(self._looks))
                # An underlay is at hand.
                if (wanted := find.get(look.shows)) is not None:
                    with suppress(ResultsError):
                        wanted(look.number)
        finally:
            self._is_apart = False

    def _needs_viewer(self) -> None:
        if self._is_apart:
            raise _NeedsViewerError("This needs a layer of the viewer.")

    def restore(self) -> None:
        """Add what can be added, in the order of the workspace."""
        active = self._viewer.layers.selection.active
        layers: dict[int, Layer] = {}
        missing = False
        for number, look in enumerate(self._looks):
            try:
                layers[number] = self._layer(look)
            except ResultsError as error:
                what = look.name or look.shows
                self.told.append(f"{what} is not shown. {error}")
                missing |= look.shows == "map" and look.visible
        # On top of what was there before, in the order that it was.
        for layer in dict.fromkeys(layers.values()):
            for one in with_companions(self._viewer, layer):
                self._to_top(one)
        for number, layer in layers.items():
            apply_look(layer, self._looks[number])
        # Hiding a map hides its clusters, wherever they were put.
        for number, layer in layers.items():
            layer.visible = self._looks[number].visible
        if missing:
            self._show_some_anatomy(layers)
        if self._worked_with in layers:
            work_with(self._viewer, layers[self._worked_with])
        wanted = layers.get(self._active) if self._active is not None else active
        if wanted is not None and wanted in self._viewer.layers:
            self._viewer.layers.selection.active = wanted
        self.told = list(dict.fromkeys(self.told))

    def _show_some_anatomy(self, layers: dict[int, Layer]) -> None:
        """Let the template take the place of an anatomy that is not there any more."""
        below = [one for one in layers.values() if UNDERLAY_KEY in one.metadata]
        if below and not any(layer.visible for layer in below):
            below[-1].visible = True
            self.told.append(f"{below[-1].name} lies below the maps instead.")

    def _to_top(self, layer: Layer) -> None:
        layers = self._viewer.layers
        if layers.index(layer) != len(layers) - 1:
            layers.move(layers.index(layer), len(layers))

    # --- layers -----------------------------------------------------------------------

    def _layer(self, look: LayerState) -> Layer:
        make: dict[str, Callable[[int], Layer]] = {
            "underlay": self._underlay,
            "map": self._map_layer,
            "clusters": self._cluster_layer,
            "agreement": self._agreement,
            "foci": self._foci,
        }
        return make[look.shows](look.number)

    def _once(self, what: str, number: int, make: Callable[[], Item]) -> Item:
        """Make a thing when it is first needed; refuse one that needs itself."""
        key = (what, number)
        if key in self._made:
            found: Item = self._made[key]
            return found
        if key in self._under_way:
            raise ResultsError(
                f"The workspace is broken: {what} {number} refers to itself."
            )
        self._under_way.append(key)
        try:
            self._made[key] = made = make()
        finally:
            self._under_way.pop()
        return made

    def _underlay(self, number: int) -> Layer:
        from napari.layers import Layer

        for layer in self._viewer.layers:
            # An image of somebody's own is a map, and lies there as well.
            if UNDERLAY_KEY in layer.metadata and map_of(layer) is None:
                return layer
        return self._viewer.add_layer(Layer.create(*underlay_layer()))

    def _map_layer(self, number: int) -> Layer:
        from napari.layers import Layer

        def make() -> Layer:
            layer = self._viewer.add_layer(Layer.create(*self._made_layer(number)))
            dress(self._viewer)
            return layer

        return self._once("the layer of map", number, make)

    def _made_layer(self, number: int) -> LayerTuple:
        return self._once(
            "the picture of map",
            number,
            lambda: map_layer(self.map(number), visible=self._looks_of(number))[0],
        )

    def _looks_of(self, number: int) -> bool:
        found = self._look("map", number)
        return found is not None and found.visible

    def _look(self, shows: str, number: int) -> LayerState | None:
        return next(
            (one for one in self._looks if (one.shows, one.number) == (shows, number)),
            None,
        )

    def _cluster_layer(self, number: int) -> Layer:
        def make() -> Layer:
            item = _item(self._contents.clusters, number, "clusters")
            clusters = self.clusters(number)
            layer = self._map_layer(item.map)
            look = self._look("map", item.map)
            image = look.image if look is not None else None
            faint = image is not None and image.faint
            found = show_clusters(self._viewer, layer, clusters, faint=faint)
            remember(layer, self._tried(look, item.asked))
            # What nobody knows is told of where one asks for it.
            with suppress(ResultsError):
                if (parts := self._parts(number)) is not None:
                    show_parts(layer, found, parts)
            return found

        return self._once("the layer of clusters", number, make)

    def _parts(self, number: int) -> ActiveParts | None:
        own = self._look("clusters", number)
        share = own.labels.parts if own is not None and own.labels is not None else None
        if not share:
            return None
        return self._once(
            "the active parts of clusters",
            number,
            lambda: find_active_parts(self.clusters(number), share),
        )

    def _shown_clusters(self, number: int) -> None:
        """Find clusters with all that their layer says of them."""
        _ = self.clusters(number).table
        self._parts(number)

    def _tried(self, look: LayerState | None, asked: SavedRequest) -> ThresholdHistory:
        """Return what was tried on a map; what is shown is among it."""
        shown = self._request(asked)
        if look is None or not 0 <= look.tried_at < len(look.tried):
            return ThresholdHistory((shown,), 0)
        requests = []
        for one in look.tried:
            try:
                requests.append(self._request(one))
            except ResultsError:
                requests.append(ThresholdRequest(one.threshold, dof=one.dof))
        history = ThresholdHistory(tuple(requests), look.tried_at)
        if history.shown == shown:
            return history
        return history.with_next(shown)

    def _agreement(self, number: int) -> Layer:
        return self._once(
            "the agreement of comparison",
            number,
            lambda: show_agreement(self._viewer, self.comparison(number)),
        )

    def _foci(self, number: int) -> Layer:
        return self._once(
            "the layer of foci",
            number,
            lambda: show_foci(
                self._viewer, self._studies(number), self._contents.foci[number].title
            ),
        )

    def _studies(self, number: int) -> Studies:
        item = _item(self._contents.foci, number, "foci")

        def make() -> Studies:
            if item.source is not None:
                studies = self.source(item.source).studies
            elif item.path:
                annotation = item.annotation or None
                studies = open_studies(
                    item.path, annotation=annotation, include=item.include
                )
            else:
                studies = None
            if studies is None:
                raise ResultsError(
                    "The workspace does not say which file its studies are in."
                )
            return studies

        return self._once("the studies of foci", number, make)

    # --- what they show ---------------------------------------------------------------

    def source(self, number: int) -> ResultSet:
        """Return a result that was opened."""
        results = _item(self._results, number, "source")
        if results is None:
            title = self._contents.sources[number].title or f"source {number}"
            raise ResultsError(f"{title} was not opened.")
        return results

    def map(self, number: int) -> StatMap:
        """Return a map, of a result or made anew."""
        item = _item(self._contents.maps, number, "map")

        def make() -> StatMap:
            if item.comparison is not None:
                comparison = self.comparison(item.comparison)
                if item.made not in ("conjunction", "difference"):
                    raise ResultsError("The workspace does not say how it was made.")
                made = getattr(comparison, item.made)
                if made is None:
                    raise ResultsError(getattr(comparison, f"no_{item.made}"))
                results = made.results
            elif item.source is not None:
                results = self.source(item.source)
            else:
                raise ResultsError("The workspace does not say where it comes from.")
            if item.key not in results.maps:
                raise ResultsError(
                    f"{results.title} holds no map {item.key!r} any more."
                )
            found: StatMap = results[item.key]
            return found

        return self._once("map", number, make)

    def clusters(self, number: int) -> ClusterSet:
        """Find clusters again."""
        item = _item(self._contents.clusters, number, "clusters")

        def make() -> ClusterSet:
            statmap = self.map(item.map)
            request = self._request(item.asked)
            masking = request.place.masking(statmap) if request.place else None
            atlas = self._atlas(item.naming)
            found = requested_clusters(statmap, request, masking, atlas=atlas)
            names = {one.peak: one.name.strip() for one in item.names}
            return replace(found, given_names=names) if names else found

        return self._once("clusters", number, make)

    def comparison(self, number: int) -> Comparison:
        """Compare again."""
        item = _item(self._contents.comparisons, number, "comparison")
        return self._once(
            "comparison",
            number,
            lambda: compare(self.clusters(item.a), self.clusters(item.b)),
        )

    def _request(self, asked: SavedRequest) -> ViewerRequest:
        place = self._choice(asked.place) if asked.place is not None else None
        return ThresholdRequest(asked.threshold, place, asked.dof)

    def _choice(self, place: MaskReference) -> MaskChoice:
        if place.kind == "brain":
            return MaskChoice(BRAIN)
        if place.kind == "file":
            return MaskChoice(place.path, outside=place.outside)
        if place.kind == "map":
            other = self.map(-1 if place.map is None else place.map)
            return MaskChoice(other, place.p, place.outside)
        if place.kind == "clusters":
            self._needs_viewer()
            number = -1 if place.clusters is None else place.clusters
            return MaskChoice(self._cluster_layer(number), outside=place.outside)
        return MaskChoice(self._painted(place.name), outside=place.outside)

    def _painted(self, name: str) -> Any:
        """Find a layer of labels that somebody opened before."""
        self._needs_viewer()
        for layer in self._viewer.layers:
            if layer.name == name and hasattr(layer, "selected_label"):
                return layer
        raise ResultsError(
            f"Its mask was painted in the layer {name!r}, which a workspace does not "
            "keep. Open the image that you saved of it, give its layer that name, and "
            "open the workspace again."
        )

    def _atlas(self, naming: Naming) -> Atlas | None:
        if naming.layer:
            self._needs_viewer()
            self.told.append(
                f"Regions were named by the layer {naming.layer!r}, which a workspace "
                "does not keep: open it, and choose it as the atlas."
            )
            return chosen_atlas(self._viewer)
        if naming.atlas is None:
            return None
        try:
            return find_atlas(naming.atlas, naming.names or None)
        except ResultsError as error:
            self._needs_viewer()
            self.told.append(f"Regions are named by another atlas. {error}")
            return chosen_atlas(self._viewer)


def _item(items: Sequence[Item], number: int, what: str) -> Item:
    """Return one of a list; a number that is in no list was not written by us."""
    if not 0 <= number < len(items):
        raise ResultsError(f"The workspace is broken: there is no {what} {number}.")
    return items[number]
