"""The values are asked: whether they can be what a map's name says that they are.

A name is no proof. A p that is no probability, a z of whole numbers, a logp below 0 or
a 1 - p that is near 1 everywhere contradict it; nothing is thresholded by a meaning
that the values contradict. NeuroVault's rule of thumb for comparison: a map that is
empty in more than 85 % of its voxels was thresholded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import MapKind, PFormula
from napari_neurosynth_results.maps.programs import Reading

#: Interpolation and float32 may go this far beyond a limit.
_SLACK = 1e-4
#: How many voxels a glance takes.
_GLANCE = 4096
#: Far beyond, z is infinite or float32 says little.
_LARGEST_Z = 8
_FITTING_PART = 0.01
#: Nobody permutes more than 10 million times.
_MOST_DECADES = 7.0
#: How near -ln p has to be to that of one iteration among all.
_SAME_FLOOR = 0.02
_NATURAL = (
    "natural logarithms, as NiMARE 0.0.1 to 0.0.3 wrote them under this name (lnp)"
)
#: Fewer voxels than this tell nothing.
_ENOUGH = 20
#: 1 - p of a test without any effect is spread evenly: half of it is not as near to 1.
_NEAR_1 = 0.95
#: Share of voxels with a value, and the weakest of them, of a thresholded z or t map.
_MOST_FILLED = 0.15
_WEAKEST_KEPT = 1.5
#: So many voxels of a statistic are not all near 0, whatever was tested.
_MANY = 1000
#: A p that a spline leaves outside of a mask, and the share of the rim that has such.
_TINY_P = 1e-6
_MOST_OF_RIM = 0.05
_MOST_TINY = 0.9
#: Values that differ by less are one p, as float32 or float64 wrote it.
_SAME_P = 1e-4
#: Share of touching voxels in clusters with two values; clusters touch now and then.
_MOST_DIFFERING = 0.1


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
    asked = kind.row.has_p or kind.row.is_probability or kind is MapKind.STAT
    if not asked:
        return ""
    if kind.row.small_is_strong and reading.word != "user" and _has_small_rim(voxels):
        return (
            f"{_said(reading)}, but values near 0 fill the rim of the volume, outside "
            "of any brain, as after interpolation: take the file as it was written, or "
            "resample it to the nearest voxel"
        )
    if _is_plain(voxels, reading):
        return ""
    values = _told(voxels)
    if not values.size:
        return ""
    low, high = float(values.min()), float(values.max())
    run = f"its values run from {low:.3g} to {high:.3g}"
    least, most = kind.row.possible
    if low < least - _SLACK or high > most + _SLACK:
        return f"{_said(reading)}, but {run}: they fit {_fitting(low, high)}"
    if reading.word == "user" or not (kind.row.has_p or kind is MapKind.STAT):
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
    if _is_too_weak(values, reading):
        return f"{_said(reading)}, but {run}: they fit {_fitting(low, high)}"
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


def fitting_kinds(voxels: Voxels) -> list[MapKind]:
    """List the kinds of a test, and labels, that values may be.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        NaN and 0 say nothing.

    Returns
    -------
    list of MapKind
        In order of interest; labels alone for whole numbers.
    """
    values = _told(voxels)
    labels = [kind for kind in MapKind if kind.row.holds_labels]
    if values.size and all(_are_labels(values, kind) for kind in labels):
        return labels
    tests = [kind for kind in MapKind if kind.row.has_p]
    return [kind for kind in tests if not doubt_of(voxels, Reading(kind))]


def natural_log_doubt(
    voxels: Voxels, z: Voxels | None, reading: Reading, iterations: int | None = None
) -> str:
    """Say why a logp map fits the natural logarithm and not that of base 10.

    NiMARE 0.0.1 to 0.0.3 wrote natural logarithms under the name of today's logp.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        A logp map that is corrected by permutations.
    z : ndarray of float32, shape (i, j, k), optional
        The z map of the same test and correction.
    reading : Reading
        What the map is taken for.
    iterations : int, optional
        Of its permutations, where they are stated.

    Returns
    -------
    str
        Half a sentence; empty when nothing is odd.
    """
    if z is not None and _is_natural_log(voxels, z):
        odd = "beside its z map these are"
    else:
        odd = _beyond_permutations(voxels, iterations)
    return f"{_said(reading)}, but {odd} {_NATURAL}" if odd else ""


def _is_natural_log(logp: Voxels, z: Voxels) -> bool:
    """Whether -ln p and not -log10 p is what a z map says."""
    from scipy.special import log_ndtr

    told, size = logp.ravel(order="F"), z.ravel(order="F")
    where = np.flatnonzero(told > 0)
    where = where[:: where.size // (4 * _GLANCE) + 1]
    told, size = told[where], size[where].astype(np.float64)
    usable = (np.abs(size) > 0.5) & (np.abs(size) < _LARGEST_Z) & np.isfinite(told)
    told, size = told[usable], size[usable]
    if told.size < _ENOUGH:
        return False
    # p of one direction, of that of the sign, and of both.
    by_sign, by_size = (
        np.asarray(-log_ndtr(-one), np.float64) for one in (size, np.abs(size))
    )
    stated = (by_sign, by_size, by_size - np.log(2))
    if any(_fits(told * np.log(10), log_p) for log_p in stated):
        return False
    return any(_fits(told, log_p) for log_p in stated)


def _fits(told: npt.NDArray[Any], stated: npt.NDArray[np.float64]) -> bool:
    near = np.abs(told - stated) <= _FITTING_PART * np.abs(stated) + 1e-6
    return bool(near.mean() > 0.5)


def _beyond_permutations(voxels: Voxels, iterations: int | None) -> str:
    """Say that no permutations give so small a p, if values are logp."""
    high = float(voxels.max(initial=0))
    if iterations is None and high <= _MOST_DECADES:
        return ""
    # A p of 0 was written as the smallest step of float64.
    values = _told(voxels)
    values = values[np.abs(values + np.log10(np.finfo(float).eps)) > 1e-3]
    high = float(values.max(initial=0))
    if iterations is not None and iterations > 1:
        if abs(high - np.log(iterations)) >= _SAME_FLOOR:
            return ""
        return f"its largest value fits {iterations:,} iterations only as"
    if high <= _MOST_DECADES:
        return ""
    return f"no permutations give p = 10^-{high:.3g}: its values fit"


def cluster_level_doubt(voxels: Voxels) -> str:
    """Say why values cannot be those of clusters, each of which carries its own p.

    Interpolation gives a cluster a rim of other values, each of which would be taken
    for the p of a cluster of its own.

    Parameters
    ----------
    voxels : ndarray of float32, shape (i, j, k)
        A map that is called cluster-level corrected.

    Returns
    -------
    str
        Half a sentence; empty when nothing is odd.
    """
    # Few voxels have a value: what touches them is looked up.
    whole = voxels.flags.c_contiguous or voxels.flags.f_contiguous
    voxels = voxels if whole else np.ascontiguousarray(voxels)
    flat = voxels.ravel(order="K")
    at = np.flatnonzero(flat)
    at = at[np.isfinite(flat[at])]
    if at.size < _ENOUGH:
        return ""
    # What most have is the floor, or the largest cluster: of both nothing is to see.
    common = np.median(np.abs(flat[at][:: at.size // _GLANCE + 1]))
    at = at[np.abs(np.abs(flat[at]) - common) > _SAME_P * common]
    is_told = np.zeros(flat.size, bool)
    is_told[at] = True
    pairs = differing = 0
    for length, stride in zip(voxels.shape, voxels.strides, strict=True):
        step = stride // voxels.itemsize
        here = at[at // step % length < length - 1]
        here = here[is_told[here + step]]
        one, other = flat[here], flat[here + step]
        # Clusters of either sign may touch.
        same_sign = (one > 0) == (other > 0)
        off = np.abs(one - other) > _SAME_P * np.maximum(np.abs(one), np.abs(other))
        pairs += int(same_sign.sum())
        differing += int((off & same_sign).sum())
    if differing < _ENOUGH or differing < _MOST_DIFFERING * pairs:
        return ""
    return (
        "it is called cluster-level, where each cluster carries one value, its own p, "
        f"but of {pairs:,} pairs of touching voxels {differing:,} differ, as after "
        "interpolation: take the file as it was written, or resample it to the nearest "
        "voxel"
    )


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
        "Say what it holds: This map holds... in the viewer, "
        f"open_results(..., kinds={{{key!r}: KIND}}), or --kind {key}=KIND on the "
        "command line."
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
    # A NaN of broken bytes may be one that warns when it is rounded.
    some = some[np.isfinite(some)]
    if (
        _is_statistic(reading.kind)
        and some.size
        and some.min() >= 0
        and some.max() <= 1
    ):
        return False
    return bool((some != np.rint(some)).any())


def _is_statistic(kind: MapKind) -> bool:
    """Whether a value is a z or t, and no p."""
    return kind.row.p.by_tail and not kind.row.p.states_p


def _is_too_weak(values: npt.NDArray[np.float32], reading: Reading) -> bool:
    """Whether a z or t is 0 to 1 in more voxels than chance would ever leave there."""
    if not _is_statistic(reading.kind) or values.size < _MANY or values.min() < 0:
        return False
    corrected = reading.correction or (reading.name and reading.name.correction)
    return corrected in (None, "none") and bool(values.max() <= 1)


def _has_small_rim(voxels: Voxels) -> bool:
    """Whether tiny p, which no mask leaves there, lie on the faces of a volume."""
    small = told = n = 0
    for axis in range(voxels.ndim):
        for end in (0, -1):
            face = np.moveaxis(voxels, axis, 0)[end]
            small += int(((face > 0) & (face < _TINY_P)).sum())
            told += int((face > 0).sum())
            n += face.size
    # Where nobody masked, an effect may reach the rim, but chance does so too.
    return small > _MOST_OF_RIM * n and small > _MOST_TINY * told


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
