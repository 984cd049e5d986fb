"""Whatever layers are called, their files stay in their folder and claim nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.export.volumes import ALIGNED, Meaning
from napari_neurosynth_results.maps.names import parse_name
from napari_neurosynth_results.viewer.plugin.layer_to_file import SavedLayer
from napari_neurosynth_results.viewer.plugin.writer import file_names

#: What means something to file systems and in NiMARE's names.
NAMES = st.lists(
    st.text(st.sampled_from('zpt_-/\\.:*?"<>|\0\n ~$%AZaé0')) | st.text(max_size=400),
    min_size=1,
    max_size=6,
)


def named(name: str) -> SavedLayer:
    """Return a layer of somebody's."""
    voxels = np.zeros((1, 1, 1), np.uint8)
    return SavedLayer(name, voxels, np.eye(4), Meaning("none"), ALIGNED)


@given(NAMES)
def test_names_stay_in_their_folder_and_differ(names: list[str]) -> None:
    found = file_names([named(name) for name in names])
    assert len({name.lower() for name in found}) == len(names)
    for name in found:
        assert name.endswith(".nii.gz")
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert not name.startswith(".")
        assert len(name.encode()) <= 140
        assert parse_name(name) is None


def test_a_name_that_is_nobodys_survives() -> None:
    assert file_names([named("My T1, cropped")]) == ["My T1, cropped.nii.gz"]
    assert file_names([named("a"), named("A"), named("a")]) == [
        "a.nii.gz",
        "A_2.nii.gz",
        "a_3.nii.gz",
    ]
