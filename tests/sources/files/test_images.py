"""The door for voxels: what a file holds and what comes in."""

import gzip
import io
import tracemalloc
import warnings
from contextlib import suppress

import nibabel as nib
import numpy as np
import pytest
import scipy.io
from nibabel.freesurfer.mghformat import MGHImage

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.sources.files.orientation import read_spm_affine

NAMES = ["z.nii", "z.nii.gz"]
TYPES = [
    *("uint8", "int8", "int16", "uint16", "int32", "uint32"),
    *("int64", "uint64", "float32", "float64"),
]


def expected(path) -> np.ndarray:
    with np.errstate(all="ignore"):
        return nib.as_closest_canonical(nib.load(path)).get_fdata(dtype=np.float32)


def assert_same_bits(statmap, path):
    wanted = expected(path)
    assert statmap.data.dtype == np.float32
    assert statmap.data.shape == wanted.shape
    assert statmap.data.tobytes() == wanted.tobytes()


@pytest.fixture
def numbers():
    """Make numbers of a type that use its range, as far as nibabel is exact."""

    def make(dtype: str, shape=(7, 6, 5)) -> np.ndarray:
        rng = np.random.default_rng(6)
        if np.dtype(dtype).kind == "f":
            return rng.normal(0, 100, shape).astype(dtype)
        # Beyond 2**53 nibabel rounds twice, by way of float64.
        info = np.iinfo(dtype)
        low, high = max(info.min, -(2**53)), min(info.max, 2**53)
        return rng.integers(low, high, shape, dtype=dtype, endpoint=True)

    return make


# --- Numbers ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("image", [nib.Nifti1Image, nib.Nifti2Image])
def test_every_number_type_reads_to_the_bit(save, numbers, name, dtype, order, image):
    header = image.header_class(endianness=order)
    path = save(name, numbers(dtype), image=image, header=header)
    assert nib.load(path).header.endianness == order
    assert nib.load(path).get_data_dtype() == np.dtype(dtype).newbyteorder(order)
    assert_same_bits(open_results(path)["z"], path)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("slope", "inter"),
    [
        *((0.00123, 0), (-0.5, 7.25), (1, -3), (2.5, 1e9), (1e-30, 0), (3e38, 0)),
        *((0, 9), (np.nan, 9), (np.inf, 9), (-np.inf, np.nan)),
    ],
)
def test_scaling_reads_to_the_bit(save, edit, numbers, name, dtype, slope, inter):
    path = edit(save(name, numbers(dtype)), scl_slope=slope, scl_inter=inter)
    with np.errstate(all="ignore"):
        if np.isinf(expected(path)).any():
            assert slope == 3e38
            return
    assert_same_bits(open_results(path)["z"], path)


def test_scaling_is_done_in_parts_of_any_size(save, edit):
    rng = np.random.default_rng(7)
    data = rng.integers(-32768, 32767, (81, 83, 79), dtype=np.int16)
    path = edit(save("z.nii.gz", data), scl_slope=0.00123, scl_inter=0.4)
    assert_same_bits(open_results(path)["z"], path)


@pytest.mark.parametrize("inter", [np.nan, np.inf])
def test_a_slope_without_intercept_is_refused(good, edit, assert_refused, inter):
    assert_refused(edit(good("bad/z.nii"), scl_slope=2, scl_inter=inter), "intercept")


def test_floats_of_128_bits_are_read_or_refused_as_nibabel_does(
    save, edit, assert_refused
):
    # Where the machine has no such numbers, nibabel has no type for them.
    wide = np.dtype(nib.nifti1.data_type_codes.dtype[1536])
    path = save("bad/z.nii", np.zeros((4, 5, 6 * 4), np.float32))
    path = edit(path, dim=[3, 4, 5, 6, 1, 1, 1, 1], datatype=1536, bitpix=128)
    if wide.kind == "f":
        assert_same_bits(open_results(path)["z"], path)
    else:
        assert_refused(path, "not supported")


@pytest.mark.parametrize(
    "dtype", [np.complex64, [("R", "u1"), ("G", "u1"), ("B", "u1")]]
)
def test_voxels_of_several_numbers_are_refused(save, assert_refused, dtype):
    path = save("bad/z.nii.gz", np.zeros((4, 5, 6), dtype))
    assert_refused(path, "not one number each")


@pytest.mark.parametrize("code", [0, 1, 3, 999, -1])
def test_an_unknown_number_type_is_refused(good, edit, assert_refused, code):
    assert_refused(edit(good("bad/z.nii"), datatype=code))


# --- Outside and infinity --------------------------------------------------------


@pytest.mark.parametrize("name", ["z.nii.gz", "p.nii", "stat.nii"])
def test_nan_stays_nan(save, values, name):
    values[3, 4, 5] = np.nan
    results = open_results(save(name, values))
    (statmap,) = results.maps.values()
    assert statmap.data.tobytes() == values.tobytes(order="C") or np.array_equal(
        statmap.data, values, equal_nan=True
    )
    assert np.isnan(statmap.data).sum() == 1
    # Nothing but what these numbers are not.
    assert all("its name says" in problem for problem in results.problems)


@pytest.mark.parametrize("value", ["z", "t", "logp", "chi2"])
def test_an_infinite_voxel_is_the_strongest_where_p_underflowed(save, values, value):
    highest, lowest = values.max(), values.min()
    values[1, 2, 3] = np.inf
    values[2, 2, 3] = -np.inf
    values[4, 2, 3] = np.nan
    path = save(f"{value}.nii.gz", values)
    results = open_results(path)
    assert results.problems == ()
    data = results[value].data
    assert data[1, 2, 3] == highest
    assert data[2, 2, 3] == lowest
    assert np.isnan(data[4, 2, 3])
    problem = results.problems[0]
    assert problem.startswith(f"{path.name}: 2 infinite voxels were kept")
    same = np.isfinite(values)
    assert np.array_equal(data[same], values[same])


def test_a_map_without_finite_value_still_has_a_strongest(save, values):
    values[:] = np.nan
    values[0, 0, 0], values[1, 0, 0] = np.inf, -np.inf
    results = open_results(save("z.nii", values))
    data = results["z"].data
    # Where p leaves float64; see the constant.
    assert data[0, 0, 0] == np.float32(38.5)
    assert data[1, 0, 0] == np.float32(-38.5)
    assert "2 infinite voxels" in results.problems[0]


def test_a_positive_infinity_never_becomes_negative(save, values):
    values[:] = -np.abs(values)
    values[0, 0, 0] = np.inf
    assert open_results(save("z.nii", values))["z"].data[0, 0, 0] > 0


@pytest.mark.parametrize("value", ["stat", "p", "est", "prob", "se"])
@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_infinity_is_outside_where_it_means_nothing(save, values, value, infinity):
    values[1, 2, 3] = infinity
    path = save(f"{value}.nii", values)
    results = open_results(path)
    data = results[value].data
    assert np.isnan(data[1, 2, 3])
    assert np.isnan(data).sum() == 1
    problem = results.problems[0]
    assert problem.startswith(f"{path.name}: 1 infinite voxel was taken as outside")


def test_large_numbers_are_not_taken_for_infinite(save, values):
    values[:2] = 3e38
    results = open_results(save("z.nii", values))
    assert np.array_equal(results["z"].data, values)
    assert results.problems == ()


# --- Axes ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extra", [(1,), (1, 1), (1, 1, 1, 1)])
def test_axes_of_length_one_are_left_out(save, values, name, extra):
    z = open_results(save(name, values.reshape(*values.shape, *extra)))["z"]
    assert np.array_equal(z.data, values)
    assert z.grid.shape == values.shape


@pytest.mark.parametrize("name", [*NAMES, "z.hdr"])
@pytest.mark.parametrize("extra", [(3,), (1, 3), (3, 2), (1, 3, 1, 2)])
def test_volumes_become_maps(save, name, extra):
    shape = (7, 6, 5, *extra)
    data = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    image = nib.Nifti1Pair if name.endswith("hdr") else nib.Nifti1Image
    results = open_results(save(name, data, image=image))
    volumes = data.reshape(7, 6, 5, -1, order="F")
    count = volumes.shape[3]
    assert list(results.maps) == [f"z#{n + 1}" for n in range(count)]
    for n, z in enumerate(results.maps.values()):
        assert z.kind is MapKind.Z
        assert np.array_equal(z.data, volumes[..., n])
    assert len({z.title for z in results.maps.values()}) == count


@pytest.mark.slow
def test_volumes_of_a_gzip_keep_only_themselves_alive(save):
    data = np.random.default_rng(8).random((20, 20, 20, 60), np.float32)
    path = save("z.nii.gz", data)
    tracemalloc.start()
    results = open_results(path)
    voxels = results.read(results.maps.values())
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(voxels) == 60
    assert kept < data.nbytes + (1 << 20)


def test_two_hundred_volumes_are_maps_and_more_are_a_time_series(save, assert_refused):
    path = save("bad/z.nii.gz", np.ones((3, 3, 3, 200), np.uint8))
    assert len(open_results(path).maps) == 200
    path = save("bad/z.nii.gz", np.ones((3, 3, 3, 201), np.uint8))
    assert_refused(path, "201 volumes", "time series")


@pytest.mark.parametrize("shape", [(19, 24), (19, 24, 1), (1, 24, 20), (19,)])
def test_images_of_one_slice_open(save, shape):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    path = save("z.nii.gz", data)
    z = open_results(path)["z"]
    assert z.grid.shape == (*shape, 1, 1)[:3]
    assert np.array_equal(z.data.reshape(shape), data)


# --- Formats ---------------------------------------------------------------------


@pytest.mark.parametrize("image", [nib.Nifti1Pair, nib.Nifti2Pair])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("upper", [False, True])
def test_pairs_open_by_either_file_and_once_in_a_folder(
    save, edit, numbers, image, dtype, upper
):
    header = save("pair/z.hdr", numbers(dtype, (19, 24, 20)), image=image)
    voxels = header.with_suffix(".img")
    edit(header, scl_slope=0.25, scl_inter=3, intent_code=5)
    wanted = expected(header)
    if upper:
        header = header.rename(header.with_suffix(".HDR"))
        voxels = voxels.rename(voxels.with_suffix(".IMG"))
    for source in (header, voxels, header.parent, [header, voxels], [voxels, header]):
        results = open_results(source)
        assert list(results.maps) == ["z"]
        assert results.problems == ()
        assert np.array_equal(results["z"].data, wanted)


def test_the_halves_of_pairs_in_two_folders_are_not_mixed_up(save, numbers):
    first = save("a/z.hdr", numbers("int16"), image=nib.Nifti1Pair)
    second = save("b/z.hdr", numbers("int16") // 2, image=nib.Nifti1Pair)
    results = open_results([first, second.with_suffix(".img")])
    assert len(results.maps) == 2
    paths = [m.path for m in results.maps.values()]
    assert sorted(paths) == [str(first), str(second)]


def test_the_intent_of_a_pair_tells_its_kind(save, edit, values):
    path = edit(save("unnamed.hdr", values, image=nib.Nifti1Pair), intent_code=3)
    assert open_results(path)["unnamed"].kind is MapKind.T


@pytest.mark.parametrize(("gone", "left"), [(".hdr", ".img"), (".img", ".hdr")])
def test_half_a_pair_is_refused(save, values, assert_refused, gone, left):
    path = save("bad/z.hdr", values, image=nib.Nifti1Pair)
    path.with_suffix(gone).unlink()
    assert_refused(path.with_suffix(left), f"no {gone} file beside it")


@pytest.mark.parametrize("image", [nib.Nifti1Pair, nib.AnalyzeImage])
def test_a_pair_whose_voxels_are_cut_short_is_refused(
    save, values, assert_refused, image
):
    path = save("bad/z.hdr", values, image=image)
    voxels = path.with_suffix(".img")
    voxels.write_bytes(voxels.read_bytes()[:-1])
    with pytest.raises(ResultsError, match="truncated"):
        open_results(path)
    voxels.write_bytes(b"")
    assert len(list(path.parent.iterdir())) == 2
    with pytest.raises(ResultsError, match="truncated"):
        open_results(path.parent)


def test_one_file_under_the_name_of_a_pair_and_back_are_refused(
    save, good, values, assert_refused
):
    one = good("bad/z.nii")
    two = save("two/z.hdr", values, image=nib.Nifti1Pair)
    renamed = two.rename(one.parent / "z.nii")
    assert_refused(renamed, "two-file image")
    renamed.unlink()
    one = good("bad/z.nii").rename(one.parent / "z.hdr")
    (one.parent / "z.img").write_bytes(b"voxels")
    with pytest.raises(ResultsError, match=r"z\.hdr holds .* one-file image"):
        open_results(one)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
@pytest.mark.parametrize("name", ["z.mgz", "z.mgh"])
@pytest.mark.parametrize("extra", [(), (3,)])
def test_freesurfer_images_open(save, numbers, affine, dtype, name, extra):
    turned = affine[:, [0, 2, 1, 3]] * [-1, 1, 1, 1]
    data = numbers(dtype, (7, 6, 5, *extra))
    path = save(name, data, turned, image=MGHImage)
    source = nib.Nifti1Image(data, turned)
    wanted = nib.as_closest_canonical(source).get_fdata(dtype=np.float32)
    wanted = wanted.reshape(7, 5, 6, -1)
    results = open_results(path)
    assert len(results.maps) == wanted.shape[3]
    for n, z in enumerate(results.maps.values()):
        assert np.array_equal(z.data, wanted[..., n])
        assert not any("guess" in notice for notice in z.notices)


def test_a_freesurfer_image_without_orientation_says_so(save, numbers):
    path = save("z.mgh", numbers("float32"), image=MGHImage)
    raw = bytearray(path.read_bytes())
    raw[28:30] = b"\0\0"
    path.write_bytes(raw)
    (problem,) = [p for p in open_results(path).problems if "guess" in p]
    assert problem.startswith("z.mgh")


@pytest.mark.parametrize(
    ("place", "number"), [(4, 0), (4, -1), (4, 2**31 - 1), (20, 99)]
)
def test_a_broken_freesurfer_header_is_refused(
    save, numbers, assert_refused, place, number
):
    path = save("bad/z.mgz", numbers("float32"), image=MGHImage)
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[place : place + 4] = number.to_bytes(4, "big", signed=True)
    path.write_bytes(gzip.compress(raw))
    assert_refused(path)


@pytest.mark.parametrize("length", [10, 283, 284, 500])
def test_a_short_freesurfer_image_is_refused(save, numbers, assert_refused, length):
    path = save("bad/z.mgh", numbers("float32"), image=MGHImage)
    path.write_bytes(path.read_bytes()[:length])
    assert_refused(path, "truncated")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_analyze_says_that_left_and_right_are_a_guess(save, numbers, dtype):
    path = save("z.hdr", numbers(dtype), image=nib.AnalyzeImage)
    assert path.read_bytes()[344:348] == bytes(4)
    results = open_results(path.with_suffix(".img"))
    (problem,) = [p for p in results.problems if "guess" in p]
    assert problem.startswith("z.hdr")
    assert "left and right" in problem
    assert_same_bits(results["z"], path)


def test_spm_writes_the_orientation_of_analyze_beside_it(save, numbers, affine):
    path = save("z.hdr", numbers("float32"), affine, image=nib.Spm99AnalyzeImage)
    assert path.with_suffix(".mat").exists()
    results = open_results(path)
    assert not any("guess" in problem for problem in results.problems)
    assert results["z"].affine == pytest.approx(affine)


@pytest.mark.parametrize("form", ["4", "5", "5 packed"])
@pytest.mark.parametrize("keys", [("mat", "M"), ("M",), ("M", "mat"), ("other", "M")])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_the_affine_that_spm_wrote_is_read_as_nibabel_does(
    save, numbers, form, keys, dtype
):
    affine = np.array([[-3.0, 0, 0, 9], [0, 3, 0, -7], [0, 0, 2, 5], [0, 0, 0, 1]])
    path = save("z.hdr", numbers("float32"), affine, image=nib.Spm99AnalyzeImage)
    beside = path.with_suffix(".mat")
    written = scipy.io.loadmat(beside) | {"other": np.ones((3, 70))}
    scipy.io.savemat(
        beside,
        {key: written[key].astype(dtype) for key in keys},
        format=form[0],
        do_compression="packed" in form,
    )
    assert np.array_equal(read_spm_affine(str(beside)), nib.load(path).affine)
    assert_same_bits(open_results(path)["z"], path)


def test_of_several_affines_of_spm_the_first_counts(save, numbers, affine):
    path = save("z.hdr", numbers("float32"), affine, image=nib.Spm99AnalyzeImage)
    beside = path.with_suffix(".mat")
    one = scipy.io.loadmat(beside)["mat"]
    scipy.io.savemat(beside, {"mat": np.stack([one, 2 * one], axis=-1)})
    assert open_results(path)["z"].affine == pytest.approx(affine)


@pytest.mark.slow
def test_an_affine_of_spm_that_is_none_is_refused(save, numbers, affine):
    path = save("z.hdr", numbers("float32"), affine, image=nib.Spm99AnalyzeImage)
    beside = path.with_suffix(".mat")
    whole = beside.read_bytes()
    bomb = {"M": np.zeros((3000, 3000))}
    scipy.io.savemat(beside, bomb, do_compression=True)
    tracemalloc.start()
    with pytest.raises(ResultsError, match=r"z\.mat, which .* holds no affine"):
        open_results(path)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
    rng = np.random.default_rng(0)
    for n in range(300):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 8):
            broken[at] = rng.integers(256)
        beside.write_bytes(bytes(broken[: len(whole) if n % 2 else 100 + n]))
        with suppress(ResultsError):
            open_results(path)
    beside.write_bytes(b"")
    assert any("guess" in problem for problem in open_results(path).problems)


def test_voxels_that_begin_like_gzip_are_voxels(save):
    values = np.zeros((7, 6, 5), np.uint8)
    values[:2, 0, 0] = 0x1F, 0x8B
    path = save("z.hdr", values, image=nib.Nifti1Pair)
    assert path.with_suffix(".img").read_bytes()[:2] == b"\x1f\x8b"
    assert_same_bits(open_results(path)["z"], path)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_without_orientation_says_so(good, edit, name):
    path = edit(good(name), sform_code=0, qform_code=0)
    z = open_results(path)["z"]
    assert [n for n in z.notices if "left and right are a guess" in n]


@pytest.mark.parametrize("qfac", [0, 1, 7, np.nan])
def test_a_qform_alone_places_an_image_as_in_nibabel(good, edit, qfac):
    path = good("z.nii")
    edit(path, sform_code=0, qform_code=2)
    header = {"pixdim": [qfac, 8, 8, 8, 1, 1, 1, 1]}
    edit(path, **header)
    z = open_results(path)["z"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = nib.as_closest_canonical(nib.load(path)).affine
    assert z.affine == pytest.approx(wanted)
    assert z.notices == ()


def test_what_a_header_is_mended_of_goes_to_no_terminal(good, edit, capfd):
    path = edit(good("z.nii"), bitpix=77, qform_code=99)
    assert open_results(path)["z"].data.any()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("image", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_behind_extensions_are_found(save, values, image):
    source = image(values, np.diag([8, 8, 8, 1]))
    source.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"note " * 5000))
    path = save("z.nii.gz", values, image=image, header=source.header)
    assert nib.load(path).dataobj.offset > 25000
    assert_same_bits(open_results(path)["z"], path)


@pytest.mark.parametrize("esize", [-16, 0, 8, 2**31 - 1])
def test_an_extension_of_impossible_size_takes_no_memory(good, edit, esize):
    path = good("z.nii")
    raw = path.read_bytes()
    extension = b"\1\0\0\0" + esize.to_bytes(4, "little", signed=True) + bytes(8)
    path.write_bytes(raw[:348] + extension + bytes(4) + raw[352:])
    edit(path, vox_offset=368)
    tracemalloc.start()
    assert open_results(path)["z"].data.any()
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("offset", [0, 16, 348, 351, -352, np.nan, np.inf, 1e30])
def test_voxels_cannot_begin_inside_the_header(good, edit, assert_refused, offset):
    path = good("bad/z.nii")
    assert_refused(edit(path, vox_offset=offset))


@pytest.mark.parametrize("name", NAMES)
def test_bytes_behind_the_voxels_are_ignored(good, values, name):
    path = good(name)
    raw = path.read_bytes()
    plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    plain += b"more" * 100
    path.write_bytes(gzip.compress(plain) if name.endswith("gz") else plain)
    assert np.array_equal(open_results(path)["z"].data, values)


# --- What a name says and what a file is -----------------------------------------


def test_gzip_and_plain_open_by_content(good, values):
    zipped, plain = good("z.nii.gz"), good("p.nii")
    raw, other = zipped.read_bytes(), plain.read_bytes()
    zipped.write_bytes(other)
    plain.write_bytes(raw)
    results = open_results(zipped.parent)
    assert results.problems == ()
    assert np.array_equal(results["z"].data, values)
    assert np.array_equal(results["p"].data, values)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gzip_of_several_members_opens(good, values, level):
    path = good("z.nii.gz")
    plain = gzip.decompress(path.read_bytes())
    members = [plain[:100], plain[100:400], b"", plain[400:9000], plain[9000:]]
    path.write_bytes(b"".join(gzip.compress(member, level) for member in members))
    results = open_results(path)
    assert np.array_equal(results["z"].data, values)
    assert results.problems == ()


def test_gzip_with_a_file_name_inside_opens(good, values):
    path = good("z.nii.gz")
    plain = gzip.decompress(path.read_bytes())
    buffer = io.BytesIO()
    with gzip.GzipFile("n" * 9000, "wb", fileobj=buffer) as file:
        file.write(plain)
    path.write_bytes(buffer.getvalue())
    assert np.array_equal(open_results(path)["z"].data, values)
