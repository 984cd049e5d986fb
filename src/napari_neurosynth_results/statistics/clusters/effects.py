"""Effects: how large they are at peaks and over clusters, and how much studies differ.

Image-based meta-analyses write their estimate, its standard error and, some of them,
the variance between studies (tau2) beside z and p. From these follow a confidence
interval, a prediction interval for a new study (Higgins, Thompson and Spiegelhalter
2009, J R Stat Soc A 172) and sometimes I2 (Higgins and Thompson 2002, Stat Med 21).
What does not follow from the maps at hand is left out, and said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_neurosynth_results.arrays import Float64Array, IndexArray
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.results import result_of
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.maps.studies import Experiments
from napari_neurosynth_results.statistics.clusters.labelling import ClusterArrays
from napari_neurosynth_results.statistics.p_values.far_tails import log_sf_of_t
from napari_neurosynth_results.statistics.p_values.significance import PSource

if TYPE_CHECKING:
    import pandas as pd

#: By which distribution an estimate over its standard error became z.
Reference = Literal["normal", "t"]
#: Columns of an effect, at a peak; over a cluster they begin with ``mean_``.
EFFECT_COLUMNS = (
    *("est", "se", "est_low", "est_high", "pi_low", "pi_high", "tau2", "i2"),
)
#: Share of probability in an interval.
_INSIDE = 0.95
#: Enough voxels to tell two distributions apart. Both give nearly the same z near 0,
#: and float32 loses digits far out.
_SAMPLE, _NEAREST, _FARTHEST = 5000, 1.0, 30.0
_FITS = 0.01
_WHOLE = 1e-3
_FEWEST_STUDIES = 3
_SELECTED = (
    "estimates at peaks are too far from 0 on average, because peaks are chosen for "
    "being strong, and their intervals hold less than 95 %; those over a cluster too, "
    "but less so"
)
_UNITS = (
    "estimates are in the unit of the maps that went in, and mean something across "
    "studies only where these were scaled alike"
)
_APPROXIMATE = (
    "a prediction interval, where a new study's effect may lie, is approximate with "
    "few studies; where tau2 is 0 it is no more than a wider confidence interval"
)


@dataclass(frozen=True, eq=False)
class Effects:
    """What the maps of an image-based meta-analysis say of the size of effects.

    Attributes
    ----------
    est, se, tau2, dof : ndarray of float32 or None
        The maps, flat in memory order (Fortran's); None where one is not at hand.
    sigma2 : ndarray of float32 or None
        Variance within studies of one participant, by sample size.
    reference : {"normal", "t"} or None
        The distribution that makes the map's own z of est / se; None where neither
        does, so that no interval would agree with its p.
    has_counts : bool
        Whether degrees of freedom are a number of studies less 1. With several images a
        study they are Satterthwaite's, and no whole numbers.
    sizes : tuple of float
        Participants of each study; empty where they are not known.
    """

    est: Voxels = field(repr=False)
    se: Voxels | None = field(repr=False)
    tau2: Voxels | None = field(default=None, repr=False)
    dof: Voxels | None = field(default=None, repr=False)
    sigma2: Voxels | None = field(default=None, repr=False)
    reference: Reference | None = None
    has_counts: bool = False
    sizes: tuple[float, ...] = ()

    @property
    def notices(self) -> tuple[str, ...]:
        """What has to be known beside the numbers, and why some are missing."""
        told = [_SELECTED, _UNITS]
        if self.se is None:
            told.append("no intervals: no map of standard errors is at hand")
        elif self.reference is None:
            told.append(
                "no intervals: neither a normal nor a t distribution makes the map's z "
                "of its estimates and standard errors"
            )
        if self.tau2 is None:
            told.append(
                "no tau2, I2 and prediction interval: no map of the variance between "
                "studies is at hand"
            )
        elif not self.has_counts:
            told.append(
                "no prediction interval and no I2: the number of studies is not known"
            )
        else:
            told.append(_APPROXIMATE)
            if self.reference == "t" and not self._knows_within:
                told.append(
                    "no I2: it does not follow from Knapp and Hartung's standard "
                    "errors; the square root of tau2 is the standard deviation between "
                    "studies"
                )
            elif self.reference == "normal":
                told.append(
                    "I2 is an approximation by tau2 / (K se2) for K studies, exact "
                    "where all of them are equally precise"
                )
        return tuple(told)

    @property
    def _knows_within(self) -> bool:
        return self.sigma2 is not None and len(self.sizes) >= _FEWEST_STUDIES

    def at(self, where: IndexArray) -> dict[str, Float64Array]:
        """Return the effect at some voxels.

        Parameters
        ----------
        where : ndarray of int, shape (n,)
            Positions in the flat volume, in memory order (Fortran's).

        Returns
        -------
        dict of str to ndarray
            `EFFECT_COLUMNS`, each of shape (n,); NaN where unknown.
        """
        return self._describe(*(self._values(m, where) for m in self._maps))

    def over(self, found: ClusterArrays) -> dict[str, Float64Array]:
        """Return the mean effect of each cluster.

        The mean standard error is the largest that the mean estimate may have: that of
        voxels which go together fully. So is, for studies, the mean of tau.

        Returns
        -------
        dict of str to ndarray
            `EFFECT_COLUMNS`, each of shape (n,).
        """
        kept = found.label.nonzero()[0]
        where = found.where.take(kept).astype(np.intp)
        cluster = found.label.take(kept).astype(np.intp) - 1
        n = found.size.size
        est, se, tau2, dof, sigma2 = (self._values(m, where) for m in self._maps)

        def mean(values: Float64Array) -> Float64Array:
            """Return the mean of what is known of each cluster."""
            known = np.isfinite(values)
            sums = np.bincount(cluster[known], weights=values[known], minlength=n)
            count = np.bincount(cluster[known], minlength=n)
            return np.where(count > 0, sums / np.maximum(count, 1), np.nan)

        least = np.full(n, np.inf)
        np.minimum.at(least, cluster, np.where(np.isfinite(dof), dof, np.inf))
        least[np.isinf(least)] = np.nan
        tau = mean(np.sqrt(np.maximum(tau2, 0)))
        return self._describe(mean(est), mean(se), tau**2, least, mean(sigma2))

    @property
    def _maps(self) -> tuple[Voxels | None, ...]:
        return self.est, self.se, self.tau2, self.dof, self.sigma2

    def _values(self, voxels: Voxels | None, where: IndexArray) -> Float64Array:
        if voxels is None:
            return np.full(where.size, np.nan)
        return voxels.take(where).astype(np.float64)

    def _describe(
        self,
        est: Float64Array,
        se: Float64Array,
        tau2: Float64Array,
        dof: Float64Array,
        sigma2: Float64Array,
    ) -> dict[str, Float64Array]:
        """Make intervals and I2 of what the maps hold at some places."""
        from scipy.special import ndtri, stdtrit

        at, nan = (1 + _INSIDE) / 2, np.full(est.size, np.nan)
        se = np.where(se > 0, se, np.nan)
        dof = np.where(dof > 0, dof, np.nan)
        reach = nan
        if self.reference == "normal":
            reach = ndtri(at) * se
        elif self.reference == "t":
            reach = stdtrit(dof, at) * se
        studies = np.rint(dof) + 1 if self.has_counts else nan
        studies = np.where(studies >= _FEWEST_STUDIES, studies, np.nan)
        far = stdtrit(studies - 2, at) * np.sqrt(tau2 + se**2)
        # Without an interval that agrees with p there is none for a new study either.
        far = np.where(np.isnan(reach), np.nan, far)
        return {
            "est": est,
            "se": se,
            "est_low": est - reach,
            "est_high": est + reach,
            "pi_low": est - far,
            "pi_high": est + far,
            "tau2": tau2,
            "i2": self._i2(se, tau2, sigma2, studies),
        }

    def _i2(
        self,
        se: Float64Array,
        tau2: Float64Array,
        sigma2: Float64Array,
        studies: Float64Array,
    ) -> Float64Array:
        """Return I2, the share of heterogeneity, where it follows from the maps."""
        if self._knows_within:
            sizes = np.array(self.sizes)
            total = sizes.sum()
            # The typical variance within studies, with weights n / sigma2.
            within = sigma2 * (sizes.size - 1) * total / (total**2 - (sizes**2).sum())
            within = np.where(studies == sizes.size, within, np.nan)
        elif self.reference == "normal":
            within = studies * se**2 - tau2
        else:
            return np.full(se.size, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = tau2 / (tau2 + np.maximum(within, 0))
        return np.asarray(np.clip(share, 0, 1))


def find_effects(statmap: StatMap) -> Effects | None:
    """Find what is known of the size of the effects that a map tests.

    Parameters
    ----------
    statmap : StatMap
        Any map of an image-based meta-analysis, corrected or not.

    Returns
    -------
    Effects or None
        None where no map of estimates is at hand, as of all coordinate-based ones.
    """
    est = _map_of(statmap, "est")
    if est is None:
        return None
    se, tau2, dof = (_map_of(statmap, value) for value in ("se", "tau2", "dof"))
    sigma2 = _map_of(statmap, "sigma2")
    # Not the voxels, which give their memory back.
    reference, has_counts = statmap.results.remember(
        (statmap.key, "reference of effects"),
        lambda: (_find_reference(statmap, est, se, dof), _are_counts(dof)),
    )
    sizes = _sample_sizes(statmap) if sigma2 is not None else ()
    return Effects(est, se, tau2, dof, sigma2, reference, has_counts, sizes)


def _are_counts(dof: Voxels | None) -> bool:
    if dof is None:
        return False
    known = dof[np.isfinite(dof) & (dof > 0)]
    return bool(known.size and (np.abs(known - np.rint(known)) <= _WHOLE).all())


def _map_of(statmap: StatMap, value: str) -> Voxels | None:
    """Return an uncorrected map of the same test, flat; None where it is not there."""
    found = statmap.results.uncorrected(statmap, value)
    if found is None and statmap.kind.row.symbol == value:
        found = statmap
    if found is None or not found.at_hand or not found.grid.same_as(statmap.grid):
        return None
    with suppress(ResultsError):
        return found.data.reshape(-1, order="F")
    # It cannot be read, which its set reports.
    return None


def _find_reference(
    statmap: StatMap, est: Voxels, se: Voxels | None, dof: Voxels | None
) -> Reference | None:
    """Find out which distribution makes z of est / se.

    Older PyMARE (before 0.0.11) took the normal one where newer takes t, with other
    standard errors: names do not tell.
    """
    z = _sizes_of_z(statmap)
    if z is None or se is None:
        return None
    usable = (se > 0) & np.isfinite(est) & np.isfinite(z)
    ratio = np.zeros(est.shape)
    np.divide(np.abs(est), se, out=ratio, where=usable, dtype=np.float64)
    usable &= (ratio > _NEAREST) & (ratio < _FARTHEST) & (z > 0)
    where = usable.nonzero()[0]
    where = where[:: max(1, where.size // _SAMPLE)]
    if not where.size:
        return None
    ratio, z = ratio[where], z[where]
    errors: list[tuple[float, Reference]] = [(_misfit(ratio, z), "normal")]
    if dof is not None:
        errors.append((_misfit(_t_to_z(ratio, dof[where].astype(np.float64)), z), "t"))
    error, reference = min(errors)
    return reference if error < _FITS else None


def _misfit(made: Float64Array, z: Float64Array) -> float:
    off = np.abs(made - z)
    return float(np.quantile(off, 0.99)) if np.isfinite(off).all() else math.inf


def _t_to_z(t: Float64Array, dof: Float64Array) -> Float64Array:
    from scipy.special import ndtri_exp

    return np.asarray(-ndtri_exp(log_sf_of_t(t, dof)))


def _sizes_of_z(statmap: StatMap) -> Float64Array | None:
    """Return |z| of the test, flat; by its two-tailed p where there is no z."""
    from scipy.special import ndtri_exp

    z = _map_of(statmap, "z")
    if z is not None:
        return np.abs(z.astype(np.float64))
    for value in ("logp", "p"):
        test = statmap.results.uncorrected(statmap, value)
        if test is None or not test.at_hand:
            continue
        with suppress(ResultsError):
            log_p = PSource(test).log_p()
            if log_p is not None:
                half = np.minimum(log_p, -1e-9).reshape(-1, order="F") - math.log(2)
                return np.asarray(-ndtri_exp(half))
    return None


def _sample_sizes(statmap: StatMap) -> tuple[float, ...]:
    """Return the participants of each study, if all are known and nobody is asked."""
    results = result_of(statmap)
    if not results.studies_at_hand:
        return ()
    with suppress(ResultsError):
        if (studies := results.studies) is not None:
            sizes = [one.participants for one in Experiments(studies).listed]
            if all(size is not None and size > 0 for size in sizes):
                return tuple(float(size) for size in sizes if size is not None)
    return ()


def effects_table(
    effects: Effects | None, peaks: IndexArray, found: ClusterArrays
) -> pd.DataFrame:
    """Lay out the effects of clusters.

    Parameters
    ----------
    effects : Effects or None
        None gives columns of which nothing is known.
    peaks : ndarray of int, shape (n,)
        Position of each cluster's peak in the flat volume (memory order).
    found : ClusterArrays
        The clusters.

    Returns
    -------
    pandas.DataFrame
        ``label``, `EFFECT_COLUMNS` at the peak, and ``mean_est`` and so on over the
        cluster. ``attrs["notices"]`` says what has to be known.
    """
    import pandas as pd

    n = found.size.size
    unknown = {column: np.full(n, np.nan) for column in EFFECT_COLUMNS}
    at = unknown if effects is None else effects.at(peaks)
    over = unknown if effects is None else effects.over(found)
    columns = {**at, **{f"mean_{name}": values for name, values in over.items()}}
    table = pd.DataFrame({"label": np.arange(1, n + 1), **columns})
    table.attrs["notices"] = () if effects is None else effects.notices
    return table


def tell_effect(row: Mapping[Any, Any], mean: str = "") -> str:
    """Say in words how large an effect is.

    Parameters
    ----------
    row : mapping
        Of `effects_table`.
    mean : {"", "mean_"}
        At the peak, or over the cluster.

    Returns
    -------
    str
        ``not known`` where there is no estimate.

    Examples
    --------
    >>> row = dict.fromkeys(EFFECT_COLUMNS, math.nan)
    >>> tell_effect(row | {"est": 0.34425, "est_low": 0.11411, "est_high": 0.57439})
    '0.344 (95 % CI 0.114 to 0.574)'
    """
    value = {column: float(row[f"{mean}{column}"]) for column in EFFECT_COLUMNS}
    if math.isnan(value["est"]):
        return "not known"
    told = f"{value['est']:.3g}"
    if not math.isnan(value["est_low"]):
        told += f" (95 % CI {value['est_low']:.3g} to {value['est_high']:.3g})"
    if not math.isnan(value["pi_low"]):
        told += f", a new study {value['pi_low']:.3g} to {value['pi_high']:.3g}"
    if not math.isnan(value["tau2"]):
        told += f", tau2 {value['tau2']:.3g}"
    return told if math.isnan(value["i2"]) else f"{told}, I2 {100 * value['i2']:.0f} %"
