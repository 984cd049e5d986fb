"""The analysis mask, as the maps of a run show it."""

from __future__ import annotations

import numpy as np

from napari_neurosynth_results.maps.kinds import Zero
from napari_neurosynth_results.maps.statmap import Mask, StatMap

_CORNERS = np.ix_((0, -1), (0, -1), (0, -1))


def union_mask(statmap: StatMap) -> Mask | None:
    """Unite what the maps of a run show of the mask.

    Parameters
    ----------
    statmap : StatMap
        A map of the run, whose grid the mask is wanted on.

    Returns
    -------
    ndarray of bool, shape (i, j, k), or None
        None when no map shows where the mask ends.
    """
    telling = [
        other
        for other in statmap.results.run_of(statmap)
        if not other.kind.row.holds_labels
        and (not other.correction or other.kind.row.zero is Zero.OUTSIDE)
    ]
    # Together, because each may have to come from a server; what cannot is left out.
    statmap.results.fetch(telling)
    telling = [m for m in telling if m.at_hand and m.grid.same_as(statmap.grid)]
    union: Mask | None = None
    known = False
    voxels = statmap.results.read(telling)
    for other in telling:
        # A map that cannot be read tells nothing.
        if (data := voxels.get(other.key)) is None:
            continue
        nan = np.isnan(data)
        # Not every NaN marks the outside: older NiMARE writes one where a voxel
        # could not be fitted, and 0 outside.
        nan_outside = bool(nan[_CORNERS].any())
        inside = ~nan if nan_outside else ~nan & (data != 0)
        known = known or nan_outside or other.kind.row.fills_mask
        union = inside if union is None else union | inside
    if union is None or not known:
        return None
    union.flags.writeable = False
    return union
