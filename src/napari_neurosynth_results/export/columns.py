"""What the columns of saved tables mean, and in which units, for their sidecars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_MM = "mm"
_PERCENT = "percent"

#: Column -> what it means, and its unit.
COLUMNS: dict[str, tuple[str, str]] = {
    "label": ("Number of the cluster, and its value in the label volume", ""),
    "name": ("The name that the user gave, else the region of the peak", ""),
    "sign": ("1 for a positive cluster, -1 for a negative one", ""),
    "rank": ("0 for the peak of the cluster, then its sub-peaks by strength", ""),
    "n_voxels": ("Number of voxels", "voxels"),
    "volume_mm3": ("Volume", "mm^3"),
    "peak_x": ("Place of the peak, right positive", _MM),
    "peak_y": ("Place of the peak, anterior positive", _MM),
    "peak_z": ("Place of the peak, superior positive", _MM),
    "peak_value": ("Signed value at the peak, in the unit of the map", ""),
    "peak_p": ("Uncorrected p at the peak; may underflow to 0", ""),
    "peak_logp": ("-log10 of the uncorrected p at the peak", ""),
    "mean_value": ("Signed mean of the cluster, in the unit of the map", ""),
    "center_x": ("Center of mass by strength, right positive", _MM),
    "center_y": ("Center of mass by strength, anterior positive", _MM),
    "center_z": ("Center of mass by strength, superior positive", _MM),
    "region": ("Region of the atlas; in a list of peaks that of the peak", ""),
    "region_percent": ("Share of the cluster in the region of its peak", _PERCENT),
    "region_mm": ("Distance from the peak to the region; 0 inside of it", _MM),
    "percent": ("Share of the cluster in the region", _PERCENT),
    "significant": ("Whether the cluster is significant", ""),
    "cluster_p": ("Corrected p of the cluster", ""),
    "cluster_p_low": ("Lower end of the 95 % interval of the Monte Carlo p", ""),
    "cluster_p_high": ("Upper end of the 95 % interval of the Monte Carlo p", ""),
    "borderline": ("Whether the interval contains the level of significance", ""),
    "p_fwe_mass": ("Family-wise corrected p by cluster mass", ""),
    "p_fwe_size": ("Family-wise corrected p by cluster size", ""),
    "peak_p_fwe": ("Family-wise corrected p of the voxel of the peak", ""),
    "peak_q": ("False discovery rate at the peak", ""),
    "experiment": ("Experiment behind the cluster", ""),
    "study": ("Study that the experiment belongs to", ""),
    "year": ("Year of publication", ""),
    "foci": ("Foci of the experiment in the cluster", "foci"),
    "share": ("Share of the cluster's mean statistic that goes without it", ""),
    "participants": ("Number of participants", "participants"),
    "link": ("Where the study is found", ""),
}


def described(columns: Iterable[str]) -> dict[str, Any]:
    """Describe columns in the words of BIDS.

    Parameters
    ----------
    columns : iterable of str
        Their names.

    Returns
    -------
    dict
        Column -> ``Description`` and, where it has a unit, ``Units``; without the
        columns that nobody has described.
    """
    found: dict[str, Any] = {}
    for column in columns:
        if column in COLUMNS:
            meaning, unit = COLUMNS[column]
            found[column] = {"Description": meaning}
            if unit:
                found[column]["Units"] = unit
    return found
