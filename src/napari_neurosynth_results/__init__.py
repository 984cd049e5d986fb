"""Open the results of a brain meta-analysis: NiMARE folders and NeuroVault files.

The names below are the headless API. They are imported on first use, so that importing
the package costs nothing: no napari, Qt, nibabel, pandas, numpy or scipy is loaded.
"""

# Not typing.TYPE_CHECKING: importing typing would double the cost of this import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from napari_neurosynth_results._version import __version__
    from napari_neurosynth_results.anatomy.atlas import Atlas
    from napari_neurosynth_results.api import (
        MaskSource,
        active_parts,
        brain_mask,
        compare_many,
        compare_maps,
        contributions,
        contributors,
        find_clusters,
        largest_active_clusters,
        mask_from_file,
        mask_from_map,
        open_atlas,
        open_results,
        open_studies,
        robustness,
        save_active_parts,
        save_clusters,
        save_comparison,
        save_figure,
        save_peaks,
        save_regions,
        save_report,
        true_discoveries,
    )
    from napari_neurosynth_results.batch import BatchSummary, run_batch
    from napari_neurosynth_results.errors import ResultsError
    from napari_neurosynth_results.maps.kinds import MapKind, Tail
    from napari_neurosynth_results.maps.results import ResultSet
    from napari_neurosynth_results.maps.statmap import StatMap
    from napari_neurosynth_results.statistics.clusters.active_parts import ActiveParts
    from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
    from napari_neurosynth_results.statistics.comparison.comparison import Comparison
    from napari_neurosynth_results.statistics.comparison.matrix import Matrix
    from napari_neurosynth_results.statistics.p_values.monte_carlo import MonteCarlo
    from napari_neurosynth_results.statistics.thresholds.masks import Masking

_HOMES = {
    "MaskSource": "api.map_requests",
    "active_parts": "api.clusters",
    "brain_mask": "api.masks",
    "compare_many": "api.comparison",
    "compare_maps": "api.comparison",
    "contributions": "api.studies",
    "contributors": "api.studies",
    "find_clusters": "api.clusters",
    "largest_active_clusters": "api.clusters",
    "mask_from_file": "api.masks",
    "mask_from_map": "api.masks",
    "open_atlas": "api.opening",
    "open_results": "api.opening",
    "open_studies": "sources.studies.study_files",
    "robustness": "api.studies",
    "save_active_parts": "export.tables.clusters",
    "save_clusters": "export.tables.clusters",
    "save_comparison": "export.tables.comparison",
    "save_figure": "api.figures",
    "save_peaks": "export.tables.clusters",
    "save_regions": "export.tables.clusters",
    "save_report": "api.report",
    "true_discoveries": "api.clusters",
    "run_batch": "batch",
    "BatchSummary": "batch",
    "Atlas": "anatomy.atlas",
    "ActiveParts": "statistics.clusters.active_parts",
    "ClusterSet": "statistics.clusters.cluster_set",
    "Comparison": "statistics.comparison.comparison",
    "Masking": "statistics.thresholds.masks",
    "Matrix": "statistics.comparison.matrix",
    "MonteCarlo": "statistics.p_values.monte_carlo",
    "ResultsError": "errors",
    "MapKind": "maps.kinds",
    "Tail": "maps.kinds",
    "__version__": "_version",
    "ResultSet": "maps.results",
    "StatMap": "maps.statmap",
}

__all__ = (
    "ActiveParts",
    "Atlas",
    "BatchSummary",
    "ClusterSet",
    "Comparison",
    "MapKind",
    "MaskSource",
    "Masking",
    "Matrix",
    "MonteCarlo",
    "ResultSet",
    "ResultsError",
    "StatMap",
    "Tail",
    "__version__",
    "active_parts",
    "brain_mask",
    "compare_many",
    "compare_maps",
    "contributions",
    "contributors",
    "find_clusters",
    "largest_active_clusters",
    "mask_from_file",
    "mask_from_map",
    "open_atlas",
    "open_results",
    "open_studies",
    "robustness",
    "run_batch",
    "save_active_parts",
    "save_clusters",
    "save_comparison",
    "save_figure",
    "save_peaks",
    "save_regions",
    "save_report",
    "true_discoveries",
)


def __getattr__(name: str) -> object:
    """Import a name of the headless API when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the headless API beside what is already loaded."""
    return sorted({*globals(), *__all__})
