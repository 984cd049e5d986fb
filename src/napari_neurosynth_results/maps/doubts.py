"""The values are asked: whether they can be what a map's name says that they are.

A name is no proof. A p that is no probability, a z of whole numbers, a logp below 0 or
a 1 - p that is near 1 everywhere contradict it; nothing is thresholded by a meaning
that the values contradict. NeuroVault's rule of thumb for comparison: a map that is
empty in more than 85 % of its voxels was thresholded.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import MapKind, PFormula
from napari_neurosynth_results.maps.programs import Reading

#: Interpolation and float32 may go this far beyond a limit.
_SLACK = 1e-4
#: How many voxels a glance takes.
_GLANCE = 4096
#: Fewer voxels than this tell nothing.
_ENOUGH = 20
#: 1 - p of a test without any effect is spread evenly: half of it is not as near to 1.
_NEAR_1 = 0.95
#: Share of voxels with a value, and the weakest of them, of a thresholded z or t map.
_MOST_FILLED = 0.15
_WEAKEST_KEPT = 1.5


def doubt_of(voxels: Voxels, reading: Reading) -> str:
    """Say why values cannot be what a map is taken for.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        NaN and 0 say nothing.
    reading : Reading
        What the map is taken for.

    Returns
    -------
    str
        Half a sentence, with what the values fit; empty when nothing is odd.
    """
    kind = reading.kind
    if not (kind.row.has_p or kind is MapKind.STAT) or _is_plain(voxels, reading):
        return ""
    values = _told(voxels)
    if not values.size:
        return ""
    low, high = float(values.min()), float(values.max())
    run = f"its values run from {low:.3g} to {high:.3g}"
    least, most = kind.row.possible
    if low < least - _SLACK or high > most + _SLACK:
        return f"{_said(reading)}, but {run}: they fit {_fitting(low, high)}"
    if reading.word == "user":
        # The user knows better, unless it is impossible.
        return ""
    if kind is MapKind.STAT:
        bare = reading.name is not None and not reading.name.entities
        if bare and low < 0:
            return (
                f"{_said(reading)}, but {run}, and no ALE or OF value is below 0: they "
                "fit t or z, which nilearn writes under this name"
            )
        return ""
    if values.size >= _ENOUGH and _are_labels(values, kind):
        return (
            f"{_said(reading)}, but {run} in whole numbers: they fit a mask or the "
            "numbers of clusters (label)"
        )
    if _is_upside_down(values, reading):
        fits = "p" if kind.row.p is PFormula.COMPLEMENT else "1-p"
        near = "1" if kind.row.p is PFormula.COMPLEMENT else "0"
        return f"{_said(reading)}, but most values are near {near}: they fit {fits}"
    return ""


def say_otherwise(key: str) -> str:
    """Say how a user says what a map holds.

    Parameters
    ----------
    key : str
        Of a map whose name is doubted.

    Returns
    -------
    str
        A sentence.
    """
    return (
        f"Say what it holds: open_results(..., kinds={{{key!r}: 'z'}}), or --kind "
        f"{key}=z on the command line."
    )


def is_thresholded(voxels: Voxels, reading: Reading) -> bool:
    """Whether a z or t map has lost its weak values.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        NaN and 0 are empty.
    reading : Reading
        What the map is taken for.

    Returns
    -------
    bool
        Whether nearly all of the volume is empty, and nothing is left near 0.
    """
    if not reading.kind.row.p.by_tail or reading.kind.row.p.states_p:
        return False
    if np.count_nonzero(voxels) > _MOST_FILLED * voxels.size and not np.isnan(
        voxels.min()
    ):
        return False
    values = _told(voxels)
    if not _ENOUGH <= values.size <= _MOST_FILLED * voxels.size:
        return False
    return bool(np.abs(values).min() >= _WEAKEST_KEPT)


def _is_plain(voxels: Voxels, reading: Reading) -> bool:
    """Whether a glance shows that nothing is odd, as it does in most maps.

    Gathering the values of a whole volume would cost a third of reading it.
    """
    row = reading.kind.row
    if row.p is PFormula.COMPLEMENT or "1 - p with" in reading.note or not voxels.size:
        return False
    # A bound that nothing can pass is not looked for.
    least, most = row.possible
    if least > -np.inf and not float(voxels.min()) >= least:
        return False
    if most < np.inf and not float(voxels.max()) <= most:
        return False
    if reading.kind is MapKind.STAT:
        return float(voxels.min()) >= 0
    some = voxels.ravel(order="K")[:: voxels.size // _GLANCE + 1]
    return bool((np.isfinite(some) & (some != np.rint(some))).any())


def _told(voxels: Voxels) -> npt.NDArray[np.float32]:
    return np.asarray(voxels[np.isfinite(voxels) & (voxels != 0)])


def _said(reading: Reading) -> str:
    who = {
        "user": "you say that it holds",
        "NeuroVault": "NeuroVault says that it holds",
    }
    told = who.get(reading.word, f"its {reading.word or 'name'} says that it holds")
    return f"{told} {reading.kind}"


def _fitting(low: float, high: float) -> str:
    if low < 0 < high:
        return "z, t or signed logp"
    if high <= 0:
        return "the logarithm of p, with its minus"
    return "logp, z, t or F" if high > 1 else "p or 1-p"


def _are_labels(values: npt.NDArray[np.float32], kind: MapKind) -> bool:
    """Whether values are whole numbers, as many as labels are."""
    if kind.row.p is PFormula.IDENTITY or values.min() < 0:
        # After a correction every p may be 1; and no label is below 0.
        return False
    # Most maps are through after a few.
    if (values[:_ENOUGH] != np.rint(values[:_ENOUGH])).any():
        return False
    if (values != np.rint(values)).any():
        return False
    return bool(values.max() == 1 == values.min() or np.unique(values).size > 1)


def _is_upside_down(values: npt.NDArray[np.float32], reading: Reading) -> bool:
    """Whether p is where 1 - p is said to be, or the other way round."""
    if values.size < _ENOUGH:
        return False
    if reading.kind.row.p is PFormula.COMPLEMENT:
        return bool(values.min() < 0.5 and np.median(values) >= _NEAR_1)
    # Only where one name stands for both, and after a correction: most p are 1 then.
    either = "1 - p with" in reading.note and reading.correction in ("FWE", "FDR")
    return bool(either and np.median(values) < 0.5 and values.max() < 1)
