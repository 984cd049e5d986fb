"""What is asked of a map: a threshold, where to look, and degrees of freedom.

One class for the viewer, for workspaces, for batches and for the command line. They
differ in what stands for the place to look, because they ask at different times: of a
map that is on screen, of one that a file refers to by number, of one that is not open.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.statmap import StatMap
from napari_neurosynth_results.statistics.p_values.directions import Direction
from napari_neurosynth_results.statistics.p_values.multiple_testing import (
    Dependence,
    FdrMethod,
)
from napari_neurosynth_results.statistics.p_values.significance import Evidence
from napari_neurosynth_results.statistics.thresholds.first_look import (
    choose_first_threshold,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

#: Degrees of freedom as a user states them: one number, for F one of each kind.
StatedDof = float | tuple[float, float]

#: A `Threshold`, or a `FirstLookThreshold` where a map may choose its own height.
Height = TypeVar("Height")
#: What stands for the place to look.
Place = TypeVar("Place")


@dataclass(frozen=True)
class FirstLookThreshold:
    """The height of each map's first look, by directions and neighbors of one's own.

    Attributes
    ----------
    tail : {"positive", "negative", "both", "auto"}
        Directions to keep; auto keeps both where both were tested.
    connectivity : {6, 18, 26}
        6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL).
    tdp_alpha, tdp_dependence
        As for `Threshold`.
    """

    tail: Direction = "auto"
    connectivity: int = 6
    tdp_alpha: float = 0.05
    tdp_dependence: Dependence = "positive"

    def threshold_for(self, statmap: StatMap, dof: StatedDof | None) -> Threshold:
        """Return the threshold of one map.

        Parameters
        ----------
        statmap : StatMap
            Any map but a label map.
        dof : float or pair of float, optional
            Degrees of freedom that the user stated for it.

        Returns
        -------
        Threshold
            As `choose_first_threshold` chooses it.

        Raises
        ------
        ResultsError
            When there is nothing to threshold, or a map cannot be read.
        """
        found = choose_first_threshold(statmap, Evidence(dof=dof))
        return replace(found, **asdict(self))


@dataclass(frozen=True)
class ThresholdRequest(Generic[Height, Place]):
    """Everything that decides which clusters a map has.

    Attributes
    ----------
    threshold : Threshold or FirstLookThreshold
        Height, tail, extent, connectivity.
    place : object, optional
        Look only there; None for everywhere.
    dof : float or pair of float, optional
        Degrees of freedom, for maps that need them and do not state them.
    """

    threshold: Height
    place: Place | None = None
    dof: StatedDof | None = None

    def threshold_for(self, statmap: StatMap) -> Threshold:
        """Return the threshold of one map.

        Raises
        ------
        ResultsError
            When no height was asked, and the map tells none by itself.
        """
        asked: Any = self.threshold
        if isinstance(asked, FirstLookThreshold):
            return asked.threshold_for(statmap, self.dof)
        threshold: Threshold = asked
        return threshold

    def for_kind(self, kind: MapKind) -> ThresholdRequest[Height, Place]:
        """Return the request for one of several maps: z takes no degrees of freedom.

        >>> asked = ThresholdRequest(Threshold(p=0.001), dof=18)
        >>> asked.for_kind(MapKind.Z).dof, asked.for_kind(MapKind.T).dof
        (None, 18)
        """
        return self if kind.row.p.n_dof else replace(self, dof=None)


def build_threshold(
    *,
    value: float | None = None,
    p: float | None = None,
    q: float | None = None,
    bonferroni: float | None = None,
    fdr: FdrMethod = "BH",
    tail: Direction = "auto",
    connectivity: int = 6,
    min_voxels: int = 1,
    min_mm3: float | None = None,
    tdp_alpha: float = 0.05,
    tdp_dependence: Dependence = "positive",
) -> Threshold | FirstLookThreshold:
    """Make a threshold for maps that are not known yet, which may name no height.

    Parameters
    ----------
    value, p, q, bonferroni, fdr, tail, connectivity, min_voxels, min_mm3, tdp_alpha, \
tdp_dependence
        As for `Threshold`.

    Returns
    -------
    Threshold or FirstLookThreshold
        The latter when none of the first four is given.

    Raises
    ------
    ResultsError
        When it means nothing for any map.

    Examples
    --------
    >>> build_threshold(tail="negative").tail, build_threshold(p=0.01).criterion
    ('negative', 'p')
    """
    has_height = (value, p, q, bonferroni) != (None,) * 4
    if not has_height and (min_voxels > 1 or min_mm3):
        raise ResultsError(
            "An extent needs a height: give p, value, q or bonferroni with it."
        )
    threshold = Threshold(
        value=value,
        # At a height of no meaning all the rest is checked too.
        p=p if has_height else 0.5,
        q=q,
        bonferroni=bonferroni,
        tail=tail,
        connectivity=connectivity,
        min_voxels=min_voxels,
        min_mm3=min_mm3,
        fdr=fdr,
        tdp_alpha=tdp_alpha,
        tdp_dependence=tdp_dependence,
    )
    if has_height:
        return threshold
    return FirstLookThreshold(tail, connectivity, tdp_alpha, tdp_dependence)
