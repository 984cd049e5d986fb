"""The sample under File > Open Sample: a real ALE meta-analysis of pain."""

from __future__ import annotations

import os
from importlib.resources import files

from napari_neurosynth_results.viewer.layers import LayerTuple


def sample_folder() -> str:
    """Return the folder of the packaged NiMARE result.

    Returns
    -------
    str
        A folder as NiMARE writes it; its ``PROVENANCE.md`` says how it was made.
    """
    return os.fspath(files("napari_neurosynth_results.sample") / "pain-ale")  # type: ignore[call-overload, no-any-return]


def open_sample() -> list[LayerTuple]:
    """Open the sample as napari layers."""
    from napari_neurosynth_results.viewer.plugin.reader import read

    return read(sample_folder())
