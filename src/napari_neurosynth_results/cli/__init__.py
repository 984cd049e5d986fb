"""The command line: open a result in napari, or say what is in it."""

from napari_neurosynth_results.cli.main import main

__all__ = ("main",)
