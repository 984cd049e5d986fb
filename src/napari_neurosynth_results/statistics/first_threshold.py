"""The threshold of a map when nobody asked for one: that of its first look."""

from __future__ import annotations

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.first_look import (
    CORRECTED_ALPHA,
    UNCORRECTED_ALPHA,
    first_look,
)
from napari_neurosynth_results.statistics.p_values.significance import survivors_at
from napari_neurosynth_results.statistics.threshold import Threshold


def first_threshold_of(statmap: StatMap) -> Threshold:
    """Choose a threshold for a map, as the viewer does before anything was chosen.

    Parameters
    ----------
    statmap : StatMap
        Any map but a label map.

    Returns
    -------
    Threshold
        p <= .001 for an uncorrected map, p <= .05 for a corrected one (q for FDR), by
        the p of its own test. Maps without a p: the height of `first_look`, which keeps
        their strongest 5 %.

    Raises
    ------
    ResultsError
        When there is nothing to threshold, or a map cannot be read.
    """
    if statmap.kind is MapKind.LABEL:
        raise ResultsError(f"{statmap.title}: labels are not thresholded.")
    alpha = CORRECTED_ALPHA if statmap.correction else UNCORRECTED_ALPHA
    if survivors_at(statmap, alpha) is not None:
        return Threshold(p=alpha)
    look = first_look(statmap)
    if look is None or not look.height > 0:
        raise ResultsError(f"{statmap.title} holds nothing that could be thresholded.")
    return Threshold(value=look.height)
