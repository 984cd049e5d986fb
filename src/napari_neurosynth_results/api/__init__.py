"""The headless API: what scripts, notebooks, the command line and the viewer call.

Each name is imported when it is first asked for: who thresholds a map does not wait
for reports and figures.
"""

# As in the package itself.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from napari_neurosynth_results.api.clusters import find_clusters, true_discoveries
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
        save_clusters,
        save_peaks,
        save_regions,
    )
    from napari_neurosynth_results.export.tables.comparison import save_comparison
    from napari_neurosynth_results.sources.studies.study_files import open_studies

_HOMES = {
    "MaskSource": "api.map_requests",
    "brain_mask": "api.masks",
    "compare_many": "api.comparison",
    "compare_maps": "api.comparison",
    "contributions": "api.studies",
    "contributors": "api.studies",
    "find_clusters": "api.clusters",
    "mask_from_file": "api.masks",
    "mask_from_map": "api.masks",
    "open_atlas": "api.opening",
    "open_results": "api.opening",
    "open_studies": "sources.studies.study_files",
    "robustness": "api.studies",
    "save_clusters": "export.tables.clusters",
    "save_comparison": "export.tables.comparison",
    "save_figure": "api.figures",
    "save_peaks": "export.tables.clusters",
    "save_regions": "export.tables.clusters",
    "save_report": "api.report",
    "true_discoveries": "api.clusters",
}

__all__ = (
    "MaskSource",
    "brain_mask",
    "compare_many",
    "compare_maps",
    "contributions",
    "contributors",
    "find_clusters",
    "mask_from_file",
    "mask_from_map",
    "open_atlas",
    "open_results",
    "open_studies",
    "robustness",
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

    package = __name__.partition(".")[0]
    value: object = getattr(import_module(f"{package}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
