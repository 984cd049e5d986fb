"""What a map holds, as the user says: all that shows it is read anew.

The layer of the map is made anew, because another kind may need another type of layer,
and so that every panel hears of it as of any layer that comes or goes. What was said
before stays with the layer, so that it can be taken back together with the thresholds
that were tried then.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_neurosynth_results.api.map_requests import requested_clusters
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.results import result_of
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.comparison.derived_maps import parent_clusters
from napari_neurosynth_results.statistics.thresholds.apply import describe_map
from napari_neurosynth_results.statistics.thresholds.request import ThresholdRequest
from napari_neurosynth_results.statistics.thresholds.what_can_be_asked import refusals
from napari_neurosynth_results.viewer import scene
from napari_neurosynth_results.viewer.canvas import dress
from napari_neurosynth_results.viewer.clusters.atlas_choice import chosen_atlas
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    cluster_layer,
    clusters_of,
    show_clusters,
    with_companions,
)
from napari_neurosynth_results.viewer.clusters.defaults import (
    first_threshold,
    shows_faintly,
)
from napari_neurosynth_results.viewer.clusters.history import (
    ThresholdHistory,
    remember,
    tried_on,
)
from napari_neurosynth_results.viewer.clusters.mask_choice import (
    MaskChoice,
    ViewerRequest,
)
from napari_neurosynth_results.viewer.compare.comparison_layers import compared_in
from napari_neurosynth_results.viewer.layers import (
    METADATA_KEY,
    REASON_KEY,
    has_own_name,
    map_layer,
    map_of,
)
from napari_neurosynth_results.viewer.progress_bar import notify
from napari_neurosynth_results.viewer.shown_maps import layer_of, name_layers

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

#: In the metadata of the map's layer, as all that the user did to it.
_KEY = "neurosynth_results_meanings"


@dataclass(frozen=True)
class PastMeanings:
    """What was said of a map, and what was tried on it by what it was taken for.

    Attributes
    ----------
    texts : tuple of str
        What was said before, oldest first; empty where nothing was said.
    tried : mapping of str to ThresholdHistory
        By what was said of the map when the thresholds were tried.
    """

    texts: tuple[str, ...] = ()
    tried: Mapping[str, ThresholdHistory] = field(default_factory=dict)


def past_meanings(layer: Layer) -> PastMeanings:
    """Return what was said of the map of a layer before."""
    found = layer.metadata.get(_KEY)
    return found if isinstance(found, PastMeanings) else PastMeanings()


def take_map_as(viewer: Viewer, statmap: StatMap, text: str) -> tuple[StatMap, str]:
    """Take a map for what the user says that it holds, in all that shows it.

    Parameters
    ----------
    statmap : StatMap
        A map of a result that is open, with a layer or without.
    text : str
        As for ``kinds`` of `open_results`; an empty one leaves it to name, header and
        values.

    Returns
    -------
    statmap : StatMap
        The map with its new meaning.
    told : str
        What had to be taken away, and what cannot be shown; empty when nothing.

    Raises
    ------
    ResultsError
        When the text means nothing, the map was made of others, or it cannot be read
        any more; then nothing has changed.
    """
    layer = layer_of(viewer, statmap)
    past = past_meanings(layer) if layer is not None else PastMeanings()
    before = result_of(statmap).stated.get(statmap.key, "")
    return _take(viewer, statmap, text, (*past.texts, before))


def take_back_meaning(viewer: Viewer, layer: Layer) -> tuple[StatMap, str]:
    """Take a map for what it was taken for before the last change.

    Parameters
    ----------
    layer : Layer
        Of a map with `past_meanings`.

    Returns
    -------
    statmap : StatMap
        The map with its former meaning.
    told : str
        As `take_map_as`.

    Raises
    ------
    ResultsError
        When nothing was said of the map, or it cannot be read any more.
    """
    statmap, past = map_of(layer), past_meanings(layer)
    if statmap is None or not past.texts:
        raise ResultsError("Nothing was said of this map that could be taken back.")
    *texts, last = past.texts
    return _take(viewer, statmap, last, tuple(texts))


def _take(
    viewer: Viewer, statmap: StatMap, text: str, texts: tuple[str, ...]
) -> tuple[StatMap, str]:
    if parent_clusters(statmap):
        raise ResultsError(
            f"{statmap.title} was made of two maps: say what those hold."
        )
    results = result_of(statmap)
    before = results.stated.get(statmap.key, "")
    concerned = {m.key for m in results.run_of(statmap)}
    with results.trial_of({statmap.key: text}):
        found = results[statmap.key]
        # What is shown must be here to be shown otherwise.
        wanted = found.at_hand or layer_of(viewer, statmap) is not None
        made = map_layer(found, visible=True) if wanted else None
    concerned |= {m.key for m in results.run_of(found)}
    layers = _MeaningLayers(viewer, statmap, found)
    while made is not None and (layer := layer_of(viewer, statmap)) is not None:
        tried = {**past_meanings(layer).tried, before: tried_on(layer)}
        layers.replace_layer(layer, made[0], PastMeanings(texts, tried), text)
    layers.ask_again(concerned - {statmap.key})
    layers.remove_made_of_it()
    return found, " ".join(layers.told)


def tell_meaning(viewer: Viewer, statmap: StatMap, told: str) -> None:
    """Tell what a map is taken for now, and let that be undone.

    Parameters
    ----------
    statmap : StatMap
        The map with its new meaning.
    told : str
        What else happened.
    """
    # napari keeps its notifications for good; viewer and voxels must not be kept so.
    ref, told_of, key = scene.weakly(viewer), weakref.ref(statmap), statmap.key

    def undo(dialog: object) -> None:
        open_still, meant = ref(), told_of()
        if open_still is None or meant is None:
            return
        layer = layer_of(open_still, meant)
        # It may have been said anew since.
        if layer is not None and past_meanings(layer).texts:
            tell_meaning(open_still, *take_back_meaning(open_still, layer))

    layer = layer_of(viewer, statmap)
    can_undo = layer is not None and past_meanings(layer).texts
    notify(
        f"{key} holds {describe_map(statmap)}. {told}".strip(),
        "warning" if told else "info",
        (("Undo", undo),) if can_undo else (),
    )


class _MeaningLayers:
    """The layers of a viewer while a map of it gets another meaning."""

    def __init__(self, viewer: Viewer, old: StatMap, new: StatMap) -> None:
        self._viewer, self._old, self._new = viewer, old, new
        self.told: list[str] = []

    def replace_layer(
        self, layer: Layer, made: tuple[object, ...], past: PastMeanings, text: str
    ) -> None:
        """Put a new layer in the place of the map's old one, and of its clusters."""
        from napari.layers import Image
        from napari.layers import Layer as AnyLayer

        layers = self._viewer.layers
        shown = cluster_layer(self._viewer, self._old)
        clusters = clusters_of(shown) if shown is not None else None
        active = layers.selection.active
        was_active = active is not None and active in (layer, shown)
        new = AnyLayer.create(*made)
        if not has_own_name(layer, self._old):
            # The user gave it a name.
            new.name = layer.name
        new.visible = layer.visible
        new.metadata[_KEY] = past
        if history := past.tried.get(" ".join(text.split())):
            remember(new, self._moved(history))
        if shown is not None:
            layers.remove(shown)
        # No panel is to ask for the old one any more; nor is its name taken, to which
        # napari would add a number.
        del layer.metadata[METADATA_KEY]
        layer.name = f"{layer.name}, as it was"
        layers.insert(layers.index(layer) + 1, new)
        dress(self._viewer)
        name_layers(self._viewer)
        layers.selection.active = new if was_active else active
        if isinstance(new, Image) and clusters is not None:
            self._threshold(new, clusters)
        layers.remove(layer)

    def _threshold(self, layer: Image, old: ClusterSet) -> None:
        """Show clusters at what was tried with this meaning, or at a first one."""
        asked = tried_on(layer).shown
        try:
            if asked is None:
                reasons = refusals(self._new).items()
                offered = [name for name, why in reasons if why is None]
                asked = ThresholdRequest(first_threshold(self._new, offered))
            clusters = _find(self._viewer, self._new, asked)
        except ResultsError as error:
            self.told.append(f"It is shown without clusters. {error}")
            return
        clusters = replace(clusters, given_names=old.given_names)
        layers = self._viewer.layers
        found = show_clusters(self._viewer, layer, clusters, faint=shows_faintly())
        for one in with_companions(self._viewer, found)[::-1]:
            layers.move(layers.index(one), layers.index(layer) + 1)
        remember(layer, tried_on(layer).with_next(asked))

    def ask_again(self, concerned: set[str]) -> None:
        """Find the clusters again whose p or mask the map has a part in."""
        for layer in list(self._viewer.layers):
            statmap = map_of(layer)
            if statmap is None or statmap is self._new:
                continue
            history = self._moved(tried_on(layer))
            if masked := history != tried_on(layer):
                remember(layer, history)
            of_run = statmap.results is self._new.results and statmap.key in concerned
            if masked or of_run:
                self._refresh(layer, statmap, history.shown)

    def _refresh(
        self, layer: Layer, statmap: StatMap, asked: ViewerRequest | None
    ) -> None:
        shown = cluster_layer(self._viewer, statmap)
        clusters = clusters_of(shown) if shown is not None else None
        if shown is None or clusters is None:
            self._look_again(layer, statmap)
            return
        if asked is None:
            asked = ThresholdRequest(clusters.asked, dof=clusters.evidence.dof)
        try:
            found = _find(self._viewer, statmap, asked)
        except ResultsError as error:
            self._viewer.layers.remove(shown)
            self.told.append(f"{statmap.title} has no clusters any more. {error}")
            return
        visible = shown.visible
        show_clusters(self._viewer, layer, found, faint=shows_faintly())
        shown.visible = visible

    def _look_again(self, layer: Layer, statmap: StatMap) -> None:
        """Show a map without clusters at its first look, if that is another one now."""
        try:
            (data, keywords, kind), _ = map_layer(statmap, visible=layer.visible)
        except ResultsError as error:
            self.told.append(str(error))
            return
        reason = keywords["metadata"].get(REASON_KEY)
        if kind != "image" or reason == layer.metadata.get(REASON_KEY):
            return
        layer.metadata.update(keywords["metadata"])
        layer.data = data
        for name in ("colormap", "contrast_limits", "opacity"):
            setattr(layer, name, keywords[name])

    def _moved(self, history: ThresholdHistory) -> ThresholdHistory:
        """Look where the map is significant by its new meaning."""
        return replace(history, requests=tuple(map(self._moved_one, history.requests)))

    def _moved_one(self, asked: ViewerRequest) -> ViewerRequest:
        place = asked.place
        if not isinstance(place, MaskChoice) or place.what is not self._old:
            return asked
        return replace(asked, place=replace(place, what=self._new))

    def remove_made_of_it(self) -> None:
        """Take away comparisons, which were made with the old meaning."""
        for layer in list(self._viewer.layers):
            if layer in self._viewer.layers and self._is_made_of_it(layer):
                self._viewer.layers.remove(layer)
                self.told.append(
                    f"{layer.name} was made with the old meaning and is gone: compare "
                    "again."
                )

    def _is_made_of_it(self, layer: Layer) -> bool:
        if (pair := compared_in(layer)) is not None:
            parts: tuple[ClusterSet, ...] = (pair.a, pair.b)
        else:
            clusters = clusters_of(layer)
            statmap = clusters.statmap if clusters is not None else map_of(layer)
            parts = parent_clusters(statmap) if statmap is not None else ()
        return any(one.statmap is self._old for one in parts)


def _find(viewer: Viewer, statmap: StatMap, asked: ViewerRequest) -> ClusterSet:
    masking = asked.place.masking(statmap) if asked.place is not None else None
    return requested_clusters(statmap, asked, masking, atlas=chosen_atlas(viewer))
