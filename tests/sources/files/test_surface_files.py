"""What only looks like a volume is called what it is."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from nibabel.freesurfer.mghformat import MGHImage

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError


def scalars(vertices: int) -> nib.Cifti2Image:
    """Return a CIFTI image of scalars as Workbench writes it."""
    axes = (
        nib.cifti2.ScalarAxis(["a"]),
        nib.cifti2.BrainModelAxis.from_mask(np.ones(vertices), "CortexLeft"),
    )
    return nib.Cifti2Image(np.ones((1, vertices), np.float32), axes)


@pytest.mark.parametrize("vertices", [5, 2000])
@pytest.mark.parametrize("name", ["a.dscalar.nii", "a.nii", "a.nii.gz"])
@pytest.mark.parametrize("intent", [None, 0])
def test_cifti_is_told_by_intent_or_extension(
    tmp_path, assert_refused, edit, vertices, name, intent
):
    (tmp_path / "bad").mkdir()
    path = tmp_path / "bad" / name
    plain = path.with_name("plain.nii")
    scalars(vertices).to_filename(plain)
    raw = plain.read_bytes()
    plain.unlink()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    if intent is not None:
        edit(path, intent_code=intent)
    assert_refused(path, "is a CIFTI file", "wb_command -cifti-separate")


@pytest.mark.parametrize("intent", range(3000, 3013))
def test_every_intent_of_cifti_is_told(save, values, edit, intent):
    path = edit(save("a.nii", values, image=nib.Nifti2Image), intent_code=intent)
    with pytest.raises(ResultsError, match="is a CIFTI file"):
        open_results(path)


@pytest.mark.parametrize("kind", ["dtseries", "dlabel", "dconn", "pscalar", "ptseries"])
def test_cifti_is_told_by_name_and_shape(save, values, kind):
    path = save(f"a.{kind}.nii", np.ones((1, 1, 1, 1, 4, 50), np.float32))
    with pytest.raises(ResultsError, match="is a CIFTI file"):
        open_results(path)
    # The name alone does not make one of a volume.
    assert open_results(save(f"b.{kind}.nii", values)).maps


@pytest.mark.parametrize("name", ["lh.sig.mgh", "lh.sig.mgz"])
@pytest.mark.parametrize("n", [12, 10242])
def test_a_surface_of_freesurfer_is_no_volume(save, assert_refused, name, n):
    data = np.ones((n, 1, 1), np.float32)
    path = save(f"bad/{name}", data, image=MGHImage)
    assert_refused(path, f"{n:,} values in a row", "vertex of a surface")


@pytest.mark.parametrize("shape", [(642, 1, 1), (1, 10242, 1), (27307, 1, 6)])
def test_a_surface_in_nifti_is_no_volume(save, shape):
    path = save("lh.nii", np.ones(shape, np.float32))
    with pytest.raises(ResultsError, match="vertex of a surface"):
        open_results(path)


@pytest.mark.parametrize("name", ["lh.func.gii", "lh.shape.gii", "rh.label.gii.gz"])
def test_gifti_is_named(tmp_path, good, name):
    path = tmp_path / "bad" / name
    path.parent.mkdir()
    path.write_text("<GIFTI/>")
    for source in (path, path.parent):
        with pytest.raises(ResultsError, match=r"is a GIFTI file: .*open the volume"):
            open_results(source)
    results = open_results([good("bad/z.nii.gz"), path])
    assert "is a GIFTI file" in results.problems[0]
    assert "is a GIFTI file" in open_results(path.parent).problems[0]


@pytest.mark.parametrize(
    ("intent", "shape", "refused"),
    [
        (1007, (9, 9, 9, 1, 3), "a vector"),
        (1005, (9, 9, 9, 1, 6), "a symmetric matrix"),
        (2006, (9, 9, 9, 3), "a warp"),
        (1009, (9, 9, 9), "triangles"),
        (1007, (9, 9, 9), None),
        (5, (9, 9, 9, 1, 3), None),
    ],
)
def test_vectors_and_warps_are_no_maps(save, edit, intent, shape, refused):
    path = save("a.nii", np.ones(shape, np.float32), np.diag([20.0, 20, 20, 1]))
    edit(path, intent_code=intent)
    if refused is None:
        assert open_results(path).maps
    else:
        with pytest.raises(ResultsError, match=refused):
            open_results(path)
