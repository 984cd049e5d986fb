"""Where saved numbers come from: source, map, threshold, atlas and versions.

Said twice: in lines for people, and as numbers for programs.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from napari_neurosynth_results._version import __version__
from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.export.escaping import plain_text
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.statmap import MapSet, StatMap
from napari_neurosynth_results.sources.web.allowed_hosts import redact
from napari_neurosynth_results.sources.web.servers import Servers
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.p_values.conversion import short_p
from napari_neurosynth_results.statistics.p_values.directions import is_tail_guessed
from napari_neurosynth_results.statistics.p_values.monte_carlo import (
    NullDistribution,
    find_null_distribution,
)
from napari_neurosynth_results.statistics.p_values.significance import PSource
from napari_neurosynth_results.statistics.thresholds.apply import describe_values
from napari_neurosynth_results.statistics.thresholds.cluster_level import (
    ClusterLevelResult,
)

#: The name of this package, by which its own files are known.
PACKAGE = "napari-neurosynth-results"
_LIBRARIES = ("nibabel", "numpy", "pandas", "scipy")
MNI = "MNI152"


def name_and_version() -> str:
    """Return name and version of this package."""
    return f"{PACKAGE} {__version__}"


def source_of(results: MapSet) -> str:
    """Return the path or address of a result, without what would let readers in."""
    token = os.environ.get("NNR_NEUROVAULT_TOKEN", "").strip()
    return redact(plain_text(results.source), Servers(token=token))


def provenance_lines(clusters: ClusterSet, notes: Sequence[str] = ()) -> list[str]:
    """Say for people what a table of clusters shows.

    Parameters
    ----------
    notes : sequence of str
        More to say.

    Returns
    -------
    list of str
        One line each.
    """
    statmap, atlas = clusters.statmap, clusters.atlas
    lines = [
        f"map: {statmap.key} ({statmap.title})",
        str(clusters),
        *_floor_line(clusters),
        f"connectivity: {clusters.connectivity}",
        f"regions: {atlas.name} ({atlas.citation})" if atlas else "regions: none",
        *notes,
        *(f"note: {told}" for told in clusters.notices),
        f"source: {source_of(statmap.results)}",
        f"space: {space_of(statmap.grid) or 'not that of MNI152'}",
        f"made by {name_and_version()}",
    ]
    return [plain_text(line) for line in lines]


def provenance_details(clusters: ClusterSet) -> dict[str, Any]:
    """Say for programs which map, threshold and atlas some clusters come from.

    Returns
    -------
    dict
        Fit for JSON: what is not a number is None.
    """
    statmap = clusters.statmap
    return {
        "Summary": plain_text(str(clusters)),
        **map_details(statmap),
        "PeakMap": None if clusters.missing_test else clusters.values.key,
        "Threshold": _threshold(clusters),
        "TrueDiscoveries": _true_discoveries(clusters),
        "Notices": [plain_text(told) for told in clusters.notices],
        "Atlas": _atlas(clusters.atlas),
    }


def map_details(statmap: StatMap) -> dict[str, Any]:
    """Say for programs what a map is and where it comes from."""
    return {
        "Source": source_of(statmap.results),
        "Map": {
            "Key": statmap.key,
            "Title": statmap.title,
            "Kind": str(statmap.kind),
            "Meaning": describe_values(statmap),
            "Tail": str(statmap.tail),
            "TailIsGuess": statmap.tail_is_guess,
            "TailIsConversions": statmap.tail_is_conversions,
            "Correction": statmap.correction,
            "CorrectionMethod": statmap.correction_method or None,
            "Level": statmap.level,
            **_counted(find_null_distribution(statmap)),
        },
        "Space": space_of(statmap.grid),
        "VoxelSize": list(statmap.grid.voxel_size),
    }


def software() -> dict[str, Any]:
    """Say for programs what made a file, in the words of BIDS."""
    return {
        "GeneratedBy": [{"Name": PACKAGE, "Version": __version__}],
        "SoftwareVersions": {
            "Python": platform.python_version(),
            **{name: _version(name) for name in _LIBRARIES},
        },
    }


def space_of(grid: Grid) -> str | None:
    """Return the space of coordinates, None where they cannot be MNI's."""
    if grid.in_talairach:
        return "Talairach"
    return None if grid.mni_doubt() else MNI


def _true_discoveries(clusters: ClusterSet) -> dict[str, Any] | None:
    found = clusters.proven.testing
    if found is None:
        return None
    return {
        "Sentence": plain_text(str(found)),
        "Alpha": found.bounds.alpha,
        "Dependence": found.bounds.dependence,
        "Tests": found.bounds.n_tests,
        "HommelValue": found.bounds.hommel,
        "AllVoxels": found.bounds.total,
    }


def _threshold(clusters: ClusterSet) -> dict[str, Any]:
    asked, applied = clusters.asked, clusters.threshold
    found: dict[str, Any] = {
        "Sentence": plain_text(str(applied)),
        "Criterion": asked.criterion,
        "Asked": asked.number,
        "Directions": asked.tail,
        "Connectivity": clusters.connectivity,
        "MinimumVoxels": clusters.min_voxels,
        "Tail": str(applied.tail),
        "TailIsGuess": _is_tail_guessed(clusters),
        "ErrorRate": _error_rate(clusters),
    }
    if isinstance(applied, ClusterLevelResult):
        return found | {
            "Level": "cluster",
            "Alpha": applied.alpha,
            "Correction": applied.correction,
            "ClusterFormingP": applied.formation.p,
            **_counted(applied.null),
        }
    return found | {
        "Level": "voxel",
        "Height": number_or_none(applied.height),
        "UncorrectedP": number_or_none(clusters.uncorrected_p),
        "NumberOfTests": applied.n_tests,
        "ExceedsHeight": asked.strict,
        "FalseDiscoveryRate": asked.fdr if asked.q is not None else None,
    }


def _is_tail_guessed(clusters: ClusterSet) -> bool:
    """Whether nobody told how p counts; of tested clusters that of their test."""
    source: PSource | None = clusters.p_source
    if isinstance(clusters.threshold, ClusterLevelResult):
        source = clusters.test
    return source is not None and is_tail_guessed(source, clusters.asked.tail)


def _counted(null: NullDistribution | None) -> dict[str, Any]:
    """Say for programs what a Monte Carlo p was counted in, and what its ends mean."""
    if null is None:
        return {"MonteCarloIterations": None, "SmallestP": None}
    return {
        "MonteCarloIterations": null.iterations,
        "SmallestP": null.smallest_p,
        "SmallestPMeans": f"p {null.relation(null.smallest_p)} "
        f"{short_p(null.smallest_p)}",
    }


def _floor_line(clusters: ClusterSet) -> list[str]:
    """Say what the smallest number in a column of Monte Carlo p stands for."""
    null = clusters.null
    if null is None or null.adds_one:
        return []
    p = short_p(null.smallest_p)
    return [f"corrected p: {p} stands for p <= {p}, none or one of {null} as large"]


def _error_rate(clusters: ClusterSet) -> dict[str, Any] | None:
    """Say what is controlled, and at which level; None where nothing is."""
    if (rate := clusters.error_rate) is None:
        return None
    return {"Rate": rate.symbol, "Level": rate.level, "Method": rate.method or None}


def number_or_none(value: float) -> float | None:
    """Return a number that JSON can hold, None for those that it cannot."""
    return float(value) if math.isfinite(value) else None


def _atlas(atlas: Atlas | None) -> dict[str, str] | None:
    if atlas is None:
        return None
    return {"Name": plain_text(atlas.name), "Citation": plain_text(atlas.citation)}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
