"""The columns of the cluster table: what they hold and how numbers are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_neurosynth_results.statistics.p_values.conversion import short_p


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Attributes
    ----------
    key : str
        Its name in ``ClusterSet.table``, or in ``ClusterSet.corrected``.
    title, about : str
        What the header shows, and what it means.
    style : str
        How numbers are written: a format, ``"p"`` or ``""`` for text.
    shown : bool
        Whether it is there before the user chooses.
    of_peaks : bool
        Whether sub-peaks have it too.
    cluster_level : bool
        Whether only clusters that were tested have it.
    corrected : bool
        Whether other maps of the result have to be read for it.
    """

    key: str
    title: str
    about: str
    style: str = ""
    shown: bool = True
    of_peaks: bool = False
    cluster_level: bool = False
    corrected: bool = False


COLUMNS = (
    Column("label", "#", "Label of the cluster in the volume; letters are sub-peaks"),
    Column("name", "Name", "Double-click or F2 renames it"),
    Column("n_voxels", "Voxels", "Extent in voxels", ",d"),
    Column("volume_mm3", "mm3", "Volume in cubic millimeters", ",.0f"),
    Column("peak_x", "x", "MNI x of the peak, mm", ".4g", of_peaks=True),
    Column("peak_y", "y", "MNI y of the peak, mm", ".4g", of_peaks=True),
    Column("peak_z", "z", "MNI z of the peak, mm", ".4g", of_peaks=True),
    Column("peak_value", "Peak", "Value at the peak", ".3f", of_peaks=True),
    Column("peak_p", "p", "Uncorrected p at the peak", "p", of_peaks=True),
    Column(
        "cluster_p", "Cluster p", "Corrected p of the cluster", "p", cluster_level=True
    ),
    Column(
        "significant", "Sig.", "Whether the cluster is significant", cluster_level=True
    ),
    Column(
        "borderline",
        "Borderline",
        "Whether the Monte Carlo interval of the corrected p contains the level",
        cluster_level=True,
    ),
    Column(
        "region",
        "Region",
        "Region at the peak, or how far the nearest one is",
        "",
        False,
        of_peaks=True,
    ),
    Column("region_percent", "% in it", "of the cluster in that region", ".0f", False),
    Column("peak_logp", "-log10 p", "of the peak", ".2f", False, of_peaks=True),
    Column("mean_value", "Mean", "Mean value of the cluster", ".3f", False),
    Column("center_x", "Center x", "MNI x of the center of mass, mm", ".1f", False),
    Column("center_y", "Center y", "MNI y of the center of mass, mm", ".1f", False),
    Column("center_z", "Center z", "MNI z of the center of mass, mm", ".1f", False),
    Column("sign", "Sign", "1 or -1", "d", False),
    Column("p_fwe_mass", "p_FWE mass", "By cluster mass", "p", False, corrected=True),
    Column("p_fwe_size", "p_FWE size", "By cluster size", "p", False, corrected=True),
    Column("peak_p_fwe", "p_FWE peak", "Of the peak", "p", False, corrected=True),
    Column("peak_q", "q peak", "FDR q of the peak", "p", False, corrected=True),
)
#: The one that can be edited.
NAME = next(i for i, column in enumerate(COLUMNS) if column.key == "name")


def written(value: Any, style: str) -> str:
    """Write a cell as the field does; nothing for what is unknown.

    >>> written(6448.0, ",.0f"), written(float("nan"), ".3f"), written(0.0005, "p")
    ('6,448', '', '.0005')
    >>> written(True, "")
    'yes'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if np.isnan(value):
        return ""
    return short_p(float(value)) if style == "p" else format(value, style)
