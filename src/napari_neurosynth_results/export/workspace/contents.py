"""What a viewer holds, in plain words: what scripts and workspaces are written from.

Nothing here holds voxels. Things refer to each other by their place in a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_neurosynth_results.statistics.thresholds.request import ThresholdRequest
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold


@dataclass(frozen=True)
class StatedKind:
    """What the user says that a map holds, as `open_results` takes it."""

    map: str
    holds: str


@dataclass(frozen=True)
class Source:
    """A result that is open.

    Attributes
    ----------
    paths : tuple of str
        What opens it: one path, link or id, or several image files.
    title : str
        What it is called.
    remote : bool
        Whether it is on a server, and `paths` holds a link or an id.
    needs_link : bool
        Whether a private token was left out, so that only this machine finds it.
    fetched : tuple of str
        Keys of the maps that were downloaded, where others were not: masks and tails
        are judged by the maps that are at hand.
    kinds : tuple of StatedKind
        What maps hold, where the user knows better than their names.
    """

    paths: tuple[str, ...]
    title: str = ""
    remote: bool = False
    needs_link: bool = False
    fetched: tuple[str, ...] = ()
    kinds: tuple[StatedKind, ...] = ()

    @property
    def stated(self) -> dict[str, str]:
        """Key of a map -> what the user says that it holds."""
        return {one.map: one.holds for one in self.kinds}


@dataclass(frozen=True)
class Map:
    """A map of a result, or one that was made of two others.

    Attributes
    ----------
    key : str
        Its name in its result set.
    title : str
        Its name for people.
    source : int or None
        Which result; None for one that was made.
    comparison : int or None
        Which comparison made it; None for one that was opened.
    made : {"", "conjunction", "difference"}
        What the comparison calls it.
    """

    key: str
    title: str = ""
    source: int | None = None
    comparison: int | None = None
    made: Literal["", "conjunction", "difference"] = ""


@dataclass(frozen=True)
class MaskReference:
    """Where was looked.

    Attributes
    ----------
    kind : {"map", "file", "brain", "clusters", "painted"}
        Another map above a p, an image, the brain of the template, the clusters of a
        map as they are, or what cannot be made again from files: voxels that were
        painted, or a mask that somebody's code gave.
    map, p : int or None, float
        For ``"map"``: which one, and its threshold.
    clusters : int or None
        For ``"clusters"``: which ones.
    path : str
        For ``"file"``.
    name : str
        What it is called.
    outside : bool
        Look everywhere else.
    """

    kind: Literal["map", "file", "brain", "clusters", "painted"]
    map: int | None = None
    p: float = 0.05
    clusters: int | None = None
    path: str = ""
    name: str = ""
    outside: bool = False


@dataclass(frozen=True)
class Naming:
    """What clusters are named by.

    Attributes
    ----------
    atlas : str or None
        ``"default"``, a known name, or the path of an image; None for nothing.
    names : str
        The file with the names of that image; empty to look for it.
    layer : str
        For an atlas that is a layer of the viewer or otherwise unknown: its name.
    """

    atlas: str | None = "default"
    names: str = ""
    layer: str = ""


@dataclass(frozen=True)
class GivenName:
    """A name that the user gave to the cluster with its peak in a voxel (i, j, k)."""

    peak: tuple[int, int, int]
    name: str


#: What was asked with a threshold, on whatever map.
SavedRequest = ThresholdRequest[Threshold, MaskReference]


@dataclass(frozen=True)
class Clusters:
    """The clusters of a map.

    Attributes
    ----------
    map : int
        Which map.
    asked : ThresholdRequest
        How they were found.
    naming : Naming
        What they are named by.
    names : tuple of GivenName
        Names that the user gave; also to peaks that are not seen at this threshold.
    sentence : str
        What came of it, in words.
    """

    map: int
    asked: SavedRequest
    naming: Naming = Naming()
    names: tuple[GivenName, ...] = ()
    sentence: str = ""


@dataclass(frozen=True)
class Pair:
    """Two maps compared, by their clusters."""

    a: int
    b: int


@dataclass(frozen=True)
class FociReference:
    """Foci that are shown.

    Attributes
    ----------
    source : int or None
        The result whose studies they are; None for those of a file.
    path, annotation : str
        The file, and its annotation where that was given.
    include : str or None
        The column that says which analyses count.
    title : str
        What their layer is called.
    """

    source: int | None = None
    path: str = ""
    annotation: str = ""
    include: str | None = None
    title: str = ""


@dataclass(frozen=True)
class Description:
    """All of it.

    Attributes
    ----------
    sources, maps, clusters, comparisons, foci : tuple
        What is open, in order.
    """

    sources: tuple[Source, ...] = ()
    maps: tuple[Map, ...] = ()
    clusters: tuple[Clusters, ...] = ()
    comparisons: tuple[Pair, ...] = ()
    foci: tuple[FociReference, ...] = ()
