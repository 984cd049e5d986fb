"""The one reader: whatever napari hands over -> layers, and a viewer that fits them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_qt
from napari_neurosynth_results.export.workspace import EXTENSION
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.sample import sample_folder
from napari_neurosynth_results.sources.files.folder import is_image
from napari_neurosynth_results.sources.opening import is_link, open_source
from napari_neurosynth_results.statistics.p_values.significance import find_test
from napari_neurosynth_results.viewer import scene, shown_maps
from napari_neurosynth_results.viewer.canvas import dress
from napari_neurosynth_results.viewer.layers import (
    MOST_LAYERS,
    UNDERLAY_KEY,
    FirstLayers,
    LayerTuple,
    build_layers,
    map_layer,
    map_of,
    result_sets,
)
from napari_neurosynth_results.viewer.napari_private import (
    is_closed,
    painted_once,
    viewer_that_reads,
)
from napari_neurosynth_results.viewer.plugin.messages import announce
from napari_neurosynth_results.viewer.progress_bar import collect_later, wait_for
from napari_neurosynth_results.viewer.settings import (
    Settings,
    read_settings,
    run_command,
)

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

Paths = str | Sequence[str]

#: Of samples napari wants at least one layer; an image of no channels makes none.
_NO_LAYER: LayerTuple = (np.zeros((0, 1, 1)), {"channel_axis": 0}, "image")
#: Files fetched from a server before anything is shown.
MOST_FETCHED = 12


def get_reader(path: Paths) -> Callable[[Paths], list[Any]] | None:
    """Return the reading function for a path that this plugin may open.

    Folders are always accepted: one that holds no map is refused by the reading
    function, which can say why.

    Parameters
    ----------
    path : str or sequence of str
        A folder, an image file, several image files, or a workspace.

    Returns
    -------
    callable or None
        None for what this plugin does not read.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not paths:
        return None
    if len(paths) == 1 and os.fspath(paths[0]).lower().endswith(EXTENSION):
        return read_into_viewer
    return read if all(map(_may_open, map(os.fspath, paths))) else None


def _may_open(path: str) -> bool:
    if os.path.isdir(path) or is_image(os.path.basename(path)):
        return True
    if path.lower().endswith(".zip"):
        return True
    try:
        return is_link(path, read_settings().online)
    except ResultsError:
        # Servers are set up wrongly: reading says how, and asking may not.
        return "://" in path


def read(
    path: Paths, kinds: Mapping[str, str] | None = None
) -> list[LayerTuple] | list[tuple[None]]:
    """Open a source as napari layers, and turn the current viewer the right way up.

    What is open already is gone to, and not opened again.

    Parameters
    ----------
    path : str or sequence of str
        As for `get_reader`.
    kinds : mapping of str to str, optional
        What maps hold, as for `open_results`.

    Returns
    -------
    list of tuple
        Layer data tuples, the underlay first; napari's word for nothing to add where
        the source is open, or the window was closed meanwhile.

    Raises
    ------
    ResultsError
        When there is no map to open; the text says what to do.
    """
    collect_later()
    settings = read_settings()
    # Before it takes time: meanwhile another window may come to the front.
    viewer = viewer_that_reads()
    most = 1 if settings.first_maps == "one map" else MOST_FETCHED

    def work(job: Job) -> ResultSet:
        try:
            results = open_source(path, settings.online, job, settings.max_bytes)
            results.take_as(kinds or {})
        except ResultsError as error:
            # napari shows it in a notification, where tags in names count.
            error.args = tuple(for_qt(str(part)) for part in error.args)
            raise
        bring_first_maps(results, job, most)
        return results

    try:
        results = wait_for(work, "Opening results", viewer)
    except CancelledError:
        if viewer is not None and is_closed(viewer):
            return [(None,)]
        raise
    if viewer is not None:
        before = shown_maps.same_result(result_sets(viewer.layers), results)
        if before is not None and shown_maps.show_first_of(viewer, before):
            return [(None,)]
    collect_later()
    return layers_for_viewer(viewer, results, settings)


def read_into_viewer(path: Paths) -> list[tuple[None]]:
    """Open a workspace in the current viewer, which makes its layers itself.

    Returns
    -------
    list of tuple
        napari's word for a file that was read and has no layers to hand over.

    Raises
    ------
    ResultsError
        When there is no viewer, or the file cannot be opened.
    """
    from napari_neurosynth_results.viewer.workspace.save_and_open import open_and_tell

    viewer = viewer_that_reads()
    if viewer is None:
        raise ResultsError("A workspace is opened in a viewer: start napari first.")
    open_and_tell(viewer, path if isinstance(path, str) else path[0])
    return [(None,)]


def bring_first_maps(results: ResultSet, job: Job, most: int) -> None:
    """Fetch the most interesting maps with what they need; the others come when wanted.

    From here on no map comes by itself, because nobody may wait for it in a viewer.

    Parameters
    ----------
    job : Job
        Hears how far it is.
    most : int
        Fetch no more files than this; what the first map needs comes in any case, up to
        `MOST_FETCHED`.

    Raises
    ------
    CancelledError
        When the job was cancelled.
    """
    results.on_demand = False
    wanted: dict[StatMap, None] = {}
    for statmap in results.maps.values():
        needed = [m for m in results.needed_by(statmap) if m not in wanted]
        if wanted and len(wanted) + len(needed) > most:
            break
        wanted |= dict.fromkeys(needed[:MOST_FETCHED])
    results.fetch(wanted, job)


def layers_for_viewer(
    viewer: Viewer | None,
    results: ResultSet,
    settings: Settings,
    most: int | None = None,
) -> list[LayerTuple]:
    """Build the layers of a result set, and prepare the viewer that gets them.

    Parameters
    ----------
    viewer : Viewer or None
        None where nobody is there to show them.
    results : ResultSet
        What to show.
    most : int, optional
        No more maps than this; without it, what the preferences say.

    Returns
    -------
    list of tuple
        Layer data tuples.

    Raises
    ------
    ResultsError
        When none of the maps can be read.
    """
    layers: Sequence[Any] = viewer.layers if viewer is not None else ()
    has_underlay = any(UNDERLAY_KEY in layer.metadata for layer in layers)
    is_one = all(statmap.kind.row.lies_below for statmap in results.maps.values())
    underlay = settings.underlay and not has_underlay and not is_one
    if most is None:
        most = 1 if settings.first_maps == "one map" else MOST_LAYERS
    one_a_test = settings.first_maps == "one of each test"
    results.title = shown_maps.distinct_title(results, result_sets(layers))
    opened = build_layers(results, underlay=underlay, most=most, one_a_test=one_a_test)
    if not opened.shown:
        raise ResultsError("\n".join(results.problems))
    if viewer is not None:
        _when_added(viewer, results, opened, settings)
    return opened.layers


def _when_added(
    viewer: Viewer, results: ResultSet, opened: FirstLayers, settings: Settings
) -> None:
    """Prepare the viewer once its layers have arrived.

    The reader only hands layers over; somebody may be reading without adding them, and
    then nobody's camera is turned.
    """
    fresh = not viewer.layers
    visible = opened.visible
    inserted = viewer.layers.events.inserted

    def arrived(event: Any) -> None:
        if map_of(event.value) is not visible:
            return
        inserted.disconnect(arrived)
        with painted_once(viewer):
            _show_first(viewer, event.value, results, opened, settings, fresh=fresh)

    inserted.connect(arrived, position="last")


def _show_first(
    viewer: Viewer,
    layer: Layer,
    results: ResultSet,
    opened: FirstLayers,
    settings: Settings,
    *,
    fresh: bool,
) -> None:
    """Turn the viewer to the layer of the first map of a result, the last to arrive."""
    visible = opened.visible
    below = visible is not None and visible.kind.row.lies_below
    if below:
        shown_maps.put_below(viewer, layer)
    if settings.orientation != "leave alone" and not scene.is_anatomical(viewer):
        scene.set_anatomical(viewer, settings.orientation)
    dress(viewer)
    if fresh and visible is not None and not below:
        scene.look_at(viewer, *strongest_place(visible))
    shown_maps.name_layers(viewer)
    if visible is not None and not below:
        shown_maps.show_alone(viewer, visible)
    panel = settings.panel and run_command("open_panel", viewer)
    announce(viewer, results, opened, panel=bool(panel))


def use_anatomy(viewer: Viewer, path: str) -> None:
    """Lay one's own image of a brain below the maps, whatever its name says it is.

    Parameters
    ----------
    path : str
        Of an image file.

    Raises
    ------
    CancelledError
        When the user cancelled.
    ResultsError
        When it cannot be opened.
    """
    from napari.layers import Layer

    settings, said = read_settings(), str(MapKind.ANATOMY)

    def work(job: Job) -> StatMap:
        results = open_source(path, settings.online, job, settings.max_bytes)
        results.take_as({"*": said})
        statmap = next(iter(results.maps.values()))
        # At 0.5 mm there is much to read.
        _ = statmap.data
        return statmap

    made, _ = map_layer(wait_for(work, "Opening anatomy", viewer), visible=True)
    shown_maps.put_below(viewer, viewer.add_layer(Layer.create(*made)))
    dress(viewer)


def strongest_place(statmap: StatMap) -> tuple[float, float, float]:
    """Return where a map is strongest.

    Returns
    -------
    tuple of float
        MNI x, y and z in mm; the middle of the grid for an empty map. Where many voxels
        share the largest value, the one nearest to their center; of clusters that were
        tested, each of which has one value, the peak of the test.
    """
    data = statmap.data
    where = np.array(statmap.grid.shape) // 2
    if statmap.kind.row.small_is_strong and not statmap.doubt:
        best = np.nanmin(data, where=data > 0, initial=np.inf)
        found = np.isfinite(best)
    else:
        best, lowest = np.nanmax(data, initial=0), np.nanmin(data, initial=0)
        if statmap.signed and -lowest > best:
            best = lowest
        found = best != 0
    if found:
        tied = np.argwhere(data == best)
        test = find_test(statmap) if statmap.level == "cluster" else None
        if test is not None:
            values = test.data[tuple(tied.T)]
            weak = values if test.kind.row.small_is_strong else -np.abs(values)
        else:
            weak = ((tied - tied.mean(axis=0)) ** 2).sum(axis=1)
        where = tied[np.argmin(np.nan_to_num(weak, nan=np.inf))]
    x, y, z = statmap.affine[:3, :3] @ where + statmap.affine[:3, 3]
    return float(x), float(y), float(z)


def add_maps(viewer: Viewer, statmaps: Sequence[StatMap]) -> list[str]:
    """Add layers for maps that wait, hidden but for the first.

    Returns
    -------
    list of str
        What could not be read and why.
    """
    from napari.layers import Layer

    problems = []
    for index, statmap in enumerate(statmaps):
        try:
            layer, _ = map_layer(statmap, visible=index == 0)
        except ResultsError as error:
            problems.append(str(error))
            continue
        viewer.add_layer(Layer.create(*layer))
    dress(viewer)
    return problems


def show_first_maps(
    viewer: Viewer, results: ResultSet, settings: Settings, most: int
) -> None:
    """Add the first layers of a result that was opened without napari's reader.

    Parameters
    ----------
    most : int
        Add no more maps than this.

    Raises
    ------
    ResultsError
        When none of the maps can be read.
    """
    from napari.layers import Layer

    for layer in layers_for_viewer(viewer, results, settings, most):
        viewer.add_layer(Layer.create(*layer))


def open_sample() -> list[LayerTuple]:
    """Open the sample as napari layers, none where it is open already."""
    layers = [one for one in read(sample_folder()) if len(one) == 3]
    return layers or [_NO_LAYER]
