"""The commands of menus and palette that change the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_neurosynth_results.viewer import scene

if TYPE_CHECKING:
    import napari.viewer


def show_axial(napari_viewer: napari.viewer.Viewer) -> None:
    """Show axial slices."""
    scene.show_plane(napari_viewer, "axial")


def show_coronal(napari_viewer: napari.viewer.Viewer) -> None:
    """Show coronal slices."""
    scene.show_plane(napari_viewer, "coronal")


def show_sagittal(napari_viewer: napari.viewer.Viewer) -> None:
    """Show sagittal slices."""
    scene.show_plane(napari_viewer, "sagittal")


def show_3d(napari_viewer: napari.viewer.Viewer) -> None:
    """Show the volume in 3D."""
    scene.show_3d(napari_viewer)


def use_neurological(napari_viewer: napari.viewer.Viewer) -> None:
    """Put the right of the brain on the right."""
    scene.set_anatomical(napari_viewer, "neurological")


def use_radiological(napari_viewer: napari.viewer.Viewer) -> None:
    """Put the right of the brain on the left."""
    scene.set_anatomical(napari_viewer, "radiological")
