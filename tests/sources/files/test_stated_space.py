"""Where a file says that it lies, and what is said when it says two things."""

import nibabel as nib
import numpy as np
import pytest

import napari_neurosynth_results as nnr
from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError


@pytest.fixture
def blob(values, affine):
    """Return a map of one strong blob in the left hippocampus, and noise."""
    voxels = values / 100
    voxels[4:7, 9:12, 8:11] = 5.5
    return voxels


@pytest.fixture
def placed(save, blob, affine):
    """Write a map whose sform and qform have codes and places of their own."""

    def write(name="z.nii.gz", sform=None, qform=None, codes=(4, 4), data=blob):
        image = nib.Nifti1Image(data, affine)
        image.set_sform(affine if sform is None else sform, codes[0])
        image.set_qform(affine if qform is None else qform, codes[1])
        path = save("other.nii", data).with_name(name)
        path.parent.joinpath("other.nii").unlink()
        nib.save(image, path)
        return path

    return write


@pytest.mark.parametrize("codes", [(3, 3), (3, 0), (0, 3), (2, 3), (3, 1)])
def test_talairach_by_either_code_is_said_and_not_named(placed, codes):
    path = placed(codes=codes)
    results = open_results(path)
    (problem,) = [one for one in results.problems if "Talairach" in one]
    assert "not in MNI space" in problem
    clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    assert clusters.atlas is None
    assert clusters.table["name"].tolist() == ["cluster 1"]
    with pytest.raises(ResultsError, match="not in MNI space"):
        nnr.brain_mask(results["z"])


@pytest.mark.parametrize("codes", [(4, 4), (2, 2), (1, 4), (4, 1), (0, 4), (4, 3)])
def test_mni_and_what_states_nothing_is_named(placed, codes):
    results = open_results(placed(codes=codes))
    clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    assert clusters.table["name"].tolist() == ["Hippocampus L"]
    # Two standard spaces in one header are a contradiction.
    assert bool(results.problems) == (codes == (4, 3))


def test_another_template_is_said(placed):
    results = open_results(placed(codes=(5, 5)))
    assert "template other than MNI152" in results.problems[0]
    assert results["z"].grid.mni_doubt()


@pytest.mark.parametrize(
    ("space", "named"),
    [
        ("Talairach", False),
        ("T1w", False),
        ("OASIS30ANTs", False),
        ("MNI152NLin6Asym", True),
        ("MNI152NLin2009cAsym", True),
    ],
)
@pytest.mark.parametrize("codes", [(2, 2), (4, 4)])
def test_the_space_in_a_name_counts(placed, space, named, codes):
    results = open_results(placed(f"sub-1_space-{space}_z.nii.gz", codes=codes))
    (statmap,) = results.maps.values()
    assert (statmap.grid.mni_doubt() is None) == named
    assert bool(results.problems) != named


def test_a_name_goes_before_a_code_and_that_is_said(placed):
    results = open_results(placed("a_space-MNI152NLin6Asym_z.nii.gz", codes=(3, 3)))
    (statmap,) = results.maps.values()
    assert statmap.grid.mni_doubt() is None
    assert "was taken for MNI space" in results.problems[0]


@pytest.mark.parametrize(
    ("word", "named"), [("TT_N27", False), ("TLRC", False), ("MNI_2009c_asym", True)]
)
def test_afnis_own_word_counts(tmp_path, blob, affine, word, named):
    image = nib.Nifti1Image(blob, affine)
    image.set_sform(affine, 5)
    image.set_qform(affine, 5)
    text = f'<AFNI_atr atr_name="TEMPLATE_SPACE" >\n "{word}"</AFNI_atr>'.encode()
    image.header.extensions.append(nib.nifti1.Nifti1Extension(4, text))
    path = tmp_path / "z.nii.gz"
    nib.save(image, path)
    assert (open_results(path)["z"].grid.mni_doubt() is None) == named


def test_an_atlas_in_talairach_space_is_refused(placed, blob):
    path = placed("atlas.nii.gz", codes=(3, 3), data=np.ones(blob.shape, np.uint8))
    with pytest.raises(ResultsError, match=r"not in MNI space: .*Talairach"):
        nnr.open_atlas(path)


def test_what_is_saved_of_a_talairach_map_is_talairach(placed, tmp_path):
    statmap = open_results(placed(codes=(3, 3)))["z"]
    clusters = nnr.find_clusters(statmap, p=0.001, min_voxels=10)
    nnr.save_clusters(clusters, tmp_path / "t.tsv")
    nnr.save_clusters(clusters, tmp_path / "labels.nii.gz")
    text = (tmp_path / "t.tsv").read_text()
    assert "# space: Talairach\n" in text
    assert "mm in Talairach space" in text
    assert "MNI mm" not in text
    header = nib.load(tmp_path / "labels.nii.gz").header
    assert int(header["sform_code"]) == int(header["qform_code"]) == 3


@pytest.mark.parametrize("codes", [(4, 1), (4, 4), (1, 4)])
@pytest.mark.parametrize(
    ("axis", "words"), [(0, "left and right"), (1, "front and back")]
)
def test_opposite_directions_are_said(placed, affine, codes, axis, words):
    turned = np.diag(np.where(np.arange(4) == axis, -1.0, 1)) @ affine
    path = placed(qform=turned, codes=codes)
    results = open_results(path)
    assert f"{words} on opposite sides" in results.problems[0]
    assert f"the sform (code {codes[0]}" in results.problems[0]
    clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    assert clusters.table["peak_x"].tolist() == [-32]
    told = [one for one in results.problems if "strongest voxel" in one]
    assert bool(told) == (axis == 0)


def test_a_shift_that_puts_the_peak_on_the_other_side_is_said(placed, affine):
    moved = affine.copy()
    moved[0, 3] += 55
    results = open_results(placed(qform=moved, codes=(4, 1)))
    assert results.problems == ()
    assert results["z"].data.any()
    assert "x = -40 mm by its sform and at x = 15 mm" in results.problems[0]


def test_a_scanners_qform_may_lie_elsewhere(placed, affine):
    moved = affine.copy()
    moved[:3, 3] += 7, -20, 12
    results = open_results(placed(qform=moved, codes=(4, 1)))
    assert results["z"].data.any()
    assert results.problems == ()


def test_one_space_at_two_places_is_said(placed, affine):
    moved = affine.copy()
    moved[1, 3] += 20
    results = open_results(placed(qform=moved, codes=(4, 4)))
    assert "up to 20 mm apart" in results.problems[0]


def test_sizes_that_the_sform_contradicts_are_said(placed, edit):
    path = placed(codes=(4, 0))
    assert open_results(path).problems == ()
    edit(path, pixdim=[1, 3, 3, 3, 1, 1, 1, 1])
    (problem,) = open_results(path).problems
    assert "voxels of 3 x 3 x 3 mm, its sform makes them 8 x 8 x 8 mm" in problem
