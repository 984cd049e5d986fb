"""Figures for papers: drawn without a window, in millimeters, left where left is."""

from napari_neurosynth_results.export.figures.comparisons import (
    comparison_figure,
    matrix_figure,
)
from napari_neurosynth_results.export.figures.maps import (
    glass_figure,
    lightbox_figure,
    ortho_figure,
)
from napari_neurosynth_results.export.figures.page import (
    Background,
    check_target,
    write_figure,
)

__all__ = (
    "Background",
    "check_target",
    "comparison_figure",
    "glass_figure",
    "lightbox_figure",
    "matrix_figure",
    "ortho_figure",
    "write_figure",
)
