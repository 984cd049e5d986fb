"""The headless API: what scripts, notebooks, the command line and the viewer call.

Each name is imported when it is first asked for: who thresholds a map does not wait
for reports and figures.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_neurosynth_results.api.clusters import (
        active_parts,
        find_clusters,
        largest_active_clusters,
        true_discoveries,
    )
    from napari_neurosynth_results.api.comparison import compare_many, compare_maps
    from napari_neurosynth_results.api.figures import save_figure
    from napari_neurosynth_results.api.map_requests import MaskSource
    from napari_neurosynth_results.api.masks import (
        brain_mask,
        mask_from_file,
        mask_from_map,
    )
    from napari_neurosynth_results.api.opening import open_atlas, open_results
    from napari_neurosynth_results.api.report import save_report
    from napari_neurosynth_results.api.studies import (
        contributions,
        contributors,
        robustness,
    )
    from napari_neurosynth_results.export.tables.clusters import (
        save_active_parts,
        save_clusters,
        save_peaks,
        save_regions,
    )
    from napari_neurosynth_results.export.tables.comparison import save_comparison
    from napari_neurosynth_results.sources.studies.study_files import open_studies

__all__ = (
    "MaskSource",
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
    """Let the package import a name when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(__name__.partition(".")[0]), name)
    return value
