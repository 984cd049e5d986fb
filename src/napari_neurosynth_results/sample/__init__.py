"""The sample: a real ALE meta-analysis of pain, as NiMARE wrote it."""

from __future__ import annotations

import os
from importlib.resources import files


def sample_folder() -> str:
    """Return the folder of the packaged NiMARE result.

    Returns
    -------
    str
        A folder as NiMARE writes it; its ``PROVENANCE.md`` says how it was made.
    """
    return os.fspath(files("napari_neurosynth_results.sample") / "pain-ale")  # type: ignore[call-overload, no-any-return]
