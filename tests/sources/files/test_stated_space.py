"""Where a file says that it lies, and what is said when it says two things."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy import stats

import napari_neurosynth_results as nnr
from napari_neurosynth_results.anatomy.coordinates import mni_to_tal, tal_to_mni
from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.cli import main
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.studies import Analysis, Focus, Studies, Study
from napari_neurosynth_results.statistics.studies.contributions import labels_at


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


# --- from Talairach to MNI ------------------------------------------------------------


@pytest.mark.parametrize("text", ["to-MNI", "z to-mni", "z, one-tailed, TO-MNI"])
def test_a_talairach_map_is_moved_where_somebody_asks_for_it(placed, blob, text):
    path = placed(codes=(3, 3))
    was = open_results(path)["z"]
    results = open_results(path, kinds={"z": text})
    moved = results["z"]
    assert moved.grid.mni_doubt() is None
    assert moved.kind == "z"
    (told,) = results.problems
    assert "moved from Talairach to MNI space, as you asked" in told
    # Every voxel has the value of the voxel nearest to where Lancaster puts its center.
    ijk = np.argwhere(np.ones(moved.grid.shape, bool))
    stored = (mni_to_tal(moved.grid.to_mm(ijk)) - was.grid.origin) / was.grid.voxel_size
    nearest = np.round(stored).astype(int)
    inside = ((nearest >= 0) & (nearest < was.grid.shape)).all(axis=1)
    # Rounding may go either way half-way between two voxels, and at the very edge.
    sure = (np.abs(stored % 1 - 0.5) > 1e-3).all(axis=1)
    edge = (nearest == 0) | (nearest == np.array(was.grid.shape) - 1)
    sure &= ~edge.any(axis=1)
    expected = np.zeros(len(ijk), np.float32)
    expected[inside] = was.data[tuple(nearest[inside].T)]
    found = moved.data[tuple(ijk.T)]
    assert sure.mean() > 0.5
    assert np.array_equal(found[sure], expected[sure])
    # On whole multiples of the size of a voxel, as MNI's own grids are.
    assert moved.grid.voxel_size == was.grid.voxel_size
    assert np.allclose(np.remainder(moved.grid.origin, moved.grid.voxel_size), 0)
    # And nothing was cut off.
    assert (moved.data > 5).sum() > 20
    clusters = nnr.find_clusters(moved, p=0.001, min_voxels=10)
    assert clusters.atlas is not None
    peak = clusters.table.loc[0, ["peak_x", "peak_y", "peak_z"]].to_numpy(float)
    there = was.grid.to_mm(np.argwhere(was.data > 5)).mean(axis=0)
    assert np.abs(peak - tal_to_mni(there)).max() <= 8


def test_all_maps_are_moved_at_once_and_stay_siblings(placed, blob, tmp_path):
    p = stats.norm.sf(blob)
    placed("z.nii.gz", codes=(3, 3))
    placed("p.nii.gz", codes=(3, 3), data=p)
    folder = tmp_path
    results = open_results(folder, kinds={"*": "to-MNI"})
    z, other = results["z"], results["p"]
    assert z.grid.same_as(other.grid)
    assert z.tail == open_results(folder)["z"].tail == "one-tailed"
    inside = other.data > 0
    assert np.allclose(stats.norm.sf(z.data[inside]), other.data[inside])
    assert "is not in MNI space" not in " ".join(results.problems)


def test_what_is_told_says_how_to_move_a_map(placed, capsys):
    path = placed(codes=(3, 3))
    (told,) = open_results(path).problems
    assert "kinds={'*': 'to-MNI'}" in told
    assert "--kind '*=to-MNI'" in told
    asked = ["clusters", str(path), "--p", ".001", "--min-voxels", "10"]
    assert main(asked) == 0
    before = capsys.readouterr()
    assert "it is not in MNI space" in before.err
    assert "cluster 1" in before.out
    assert main([*asked, "--kind", "*=to-MNI"]) == 0
    after = capsys.readouterr()
    assert "it is not in MNI space" not in after.err
    assert "moved from Talairach" in after.err
    assert "cluster 1" not in after.out


def test_maps_that_lie_in_mni_space_are_left_where_they_are(placed):
    path = placed("a_z.nii.gz", codes=(3, 3))
    placed("b_z.nii.gz", codes=(3, 3))
    placed("c_z.nii.gz", codes=(4, 4))
    every = open_results(path.parent, kinds={"*": "to-MNI"})
    assert [m.file.reading.to_mni for m in every.maps.values()] == [True, True, False]
    told = " ".join(every.problems)
    assert "is not in MNI space" not in told
    assert told.count("moved from Talairach") == 2
    one = open_results(path.parent, kinds={"a_z": "to-MNI"})
    assert [m.file.reading.to_mni for m in one.maps.values()] == [True, False, False]
    # The other one still lies there, and that is still said.
    (still,) = [told for told in one.problems if "is not in MNI space" in told]
    assert still.startswith("b_z.nii.gz: ")
    # It can be taken back.
    one.take_as({"a_z": ""})
    assert one["a_z"].grid.mni_doubt()
    assert sum("is not in MNI space" in told for told in one.problems) == 2


def test_a_map_that_does_not_say_so_may_be_in_talairach_space_too(placed):
    results = open_results(placed(codes=(1, 1)), kinds={"z": "to-MNI"})
    assert "its file does not say that it was in Talairach" in results.problems[0]
    again = open_results(placed("b.nii.gz", codes=(3, 3)), kinds={"b": "z to-MNI"})
    assert np.array_equal(results["z"].data, again["b"].data)


def test_another_template_is_not_moved(placed):
    with pytest.raises(ResultsError, match="cannot be moved from Talairach"):
        open_results(placed(codes=(5, 5)), kinds={"z": "to-MNI"})


def test_an_oblique_map_is_moved_as_it_is_stored(placed, affine):
    turn = np.eye(4)
    turn[:2, :2] = [[0.98, -0.199], [0.199, 0.98]]
    path = placed(sform=turn @ affine, qform=turn @ affine, codes=(3, 3))
    moved = open_results(path, kinds={"z": "to-MNI"})["z"]
    strong = moved.grid.to_mm(np.argwhere(moved.data > 5)).mean(axis=0)
    there = (turn @ affine @ [5, 10, 9, 1])[:3]
    assert np.abs(strong - tal_to_mni(there)).max() < 4


def test_foci_are_counted_where_they_lie_in_a_talairach_map(placed, blob):
    statmap = open_results(placed(codes=(3, 3)))["z"]
    grid, found = statmap.grid, nnr.find_clusters(statmap, p=0.001, min_voxels=10)
    inside = grid.to_mm(np.argwhere(found.labels == 1))
    foci = [tal_to_mni(place) for place in inside]
    assert (labels_at(found.labels, grid, foci) == 1).all()
    # As they stand, some would have been missed.
    fine = Grid((80, 80, 80), np.diag([1.0, 1, 1, 1]), grid.elsewhere)
    labels = np.zeros(fine.shape, int)
    labels[60:64, 60:64, 60:64] = 1
    there = np.argwhere(labels)
    moved = [tal_to_mni(place) for place in there]
    assert (labels_at(labels, fine, moved) == 1).all()
    assert (labels_at(labels, replace(fine, elsewhere=None), moved) == 0).all()
    studies = Studies(
        tuple(
            Study(
                f"s{n}", f"Study {n}", analyses=(Analysis("a", "a", (Focus(*place),)),)
            )
            for n, place in enumerate(foci)
        )
    )
    table = nnr.contributions(statmap.results, found, studies=studies)
    assert table[1].sum() == len(foci)
    assert any("moved into it" in told for told in table.attrs["notices"])


@pytest.mark.slow
def test_reports_batches_and_comparisons_say_where_a_map_lies(placed, tmp_path):
    path = placed(codes=(3, 3))
    results = open_results(path)
    clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    (told,) = clusters.notices
    assert "Talairach" in told
    compared = nnr.compare_maps(
        results["z"], results["z"], threshold_a=clusters, threshold_b=clusters
    )
    assert sum("Talairach" in one for one in compared.notices) == 1
    many = nnr.compare_many([results["z"]] * 3, thresholds=[clusters] * 3)
    assert sum("Talairach" in one for one in many.notices) == 1
    nnr.save_report(results, tmp_path / "r.html", clusters=[clusters])
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    section = page[page.index('class="sentence"') :]
    assert "it is not in MNI space" in section
    out = tmp_path / "out"
    nnr.run_batch([path], out, p=0.001, workers=0)
    summary = (out / "summary.tsv").read_text(encoding="utf-8")
    assert summary.count("it is not in MNI space") == 1
    nnr.run_batch([path], tmp_path / "moved", p=0.001, workers=0, kinds={"*": "to-MNI"})
    summary = (tmp_path / "moved" / "summary.tsv").read_text(encoding="utf-8")
    assert "it is not in MNI space" not in summary
    assert "moved from Talairach" in summary


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
