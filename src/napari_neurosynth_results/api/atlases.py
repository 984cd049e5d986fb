"""Atlases for the names of regions."""

from __future__ import annotations

import os

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.sources.atlases.find import find_atlas


def open_atlas(
    source: str | os.PathLike[str] = "default",
    names: str | os.PathLike[str] | None = None,
    *,
    fetch: bool = False,
) -> Atlas:
    """Open an atlas: the packaged one, one that is known by name, or one of your own.

    Parameters
    ----------
    source : str or path
        ``"default"`` for Desikan-Killiany with cerebellum, which is in the package;
        ``"harvard-oxford"``, ``"aal"``, ``"aal2"``, ``"schaefer-200"``,
        ``"schaefer-400"``, ``"destrieux"`` or ``"juelich"`` where this machine has it;
        or the path of a label image in MNI space.
    names : path, optional
        The file that names the labels of an image: ``.csv``, ``.tsv``, ``.xml``,
        ``.txt`` or ``.json``. Looked for beside the image when not given.
    fetch : bool
        Let nilearn download a known atlas that is not on this machine; never done
        offline (``NNR_OFFLINE``).

    Returns
    -------
    Atlas
        ``labels_at(places)``, ``nearest(places)`` and ``name_of(label)`` look places up
        by MNI mm; ``notices`` says what is doubtful.

    Raises
    ------
    ResultsError
        When it is not at hand or cannot be read; the text says what to do.

    Examples
    --------
    >>> import napari_neurosynth_results as nnr
    >>> atlas = nnr.open_atlas()
    >>> labels, distances = atlas.nearest([(38, 4, 2), (-32, -60, -34)])
    >>> [atlas.name_of(label) for label in labels]
    ['insula R', 'cerebellum L']
    """
    return find_atlas(source, names, fetch=fetch)
