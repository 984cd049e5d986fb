"""Folders and lists of files: what is opened, what is left, and what is said."""

import gzip
import os
import pickle
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from napari_neurosynth_results.api import open_results
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import MapKind


class Bomb:
    """Write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


# --- Maps ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "header", "dof"),
    [
        ("map.nii", {"intent_code": 3, "intent_p1": 18.5}, 18.5),
        ("map.nii", {"intent_code": 4, "intent_p1": 2, "intent_p2": 30}, (2, 30)),
        ("map.nii", {"intent_code": 6, "intent_p1": 1}, 1),
        ("map.nii", {"descrip": b"SPM{T_[18.0]} - contrast 1: a"}, 18),
        ("spmF_0001.nii", {"descrip": b"SPM{F_[2.0,37.5]} - contrast 2"}, (2, 37.5)),
        ("map.nii", {"descrip": b"SPM{F_[2.0]}"}, None),
        ("map.nii", {"intent_code": 3, "intent_p1": 0}, None),
        ("map.nii", {"intent_code": 4, "intent_p1": 2}, None),
        ("map.nii", {"intent_code": 5, "intent_p1": 3}, None),
        # The name says better what the numbers are: not those of the header.
        ("z.nii", {"intent_code": 3, "intent_p1": 18}, None),
    ],
)
def test_degrees_of_freedom_are_read_off_the_header(
    save, edit, values, name, header, dof
):
    path = edit(save(name, values), **header)
    (statmap,) = open_results(path).maps.values()
    assert statmap.file.dof == dof


def test_a_folder_opens_all_its_maps_by_stem(folder, fill):
    fill("z.nii.gz", "p.nii", "stat.nii.gz")
    results = open_results(folder)
    assert set(results.maps) == {"z", "p", "stat"}
    assert results.title == "results"
    assert results.source == str(folder)
    assert results.problems == ()
    assert [m.kind for m in results.maps.values()] == ["z", "p", "stat"]
    assert results["p"].path == str(folder / "p.nii")


def test_a_path_may_end_in_a_slash(folder, fill):
    fill("z.nii.gz")
    assert open_results(f"{folder}/").title == "results"


@pytest.mark.parametrize("prefix", ["", "pain_", "my_z_study_"])
def test_siblings_are_found_with_and_without_prefix(folder, fill, prefix):
    fill(f"{prefix}z.nii.gz", f"{prefix}logp.nii.gz", f"{prefix}p.nii.gz")
    results = open_results(folder)
    z = results[f"{prefix}z"]
    assert {v: m.key for v, m in results.siblings(z).items()} == {
        "logp": f"{prefix}logp",
        "p": f"{prefix}p",
    }


def test_prefixes_in_one_folder_are_kept_apart(folder, save, values):
    inside = np.zeros(values.shape, bool)
    inside[:9] = True
    for prefix, mask in (("a_", inside), ("b_", ~inside)):
        save(f"results/{prefix}z.nii.gz", np.where(mask, values, 0))
        save(f"results/{prefix}p.nii.gz", np.where(mask, 0.5, 0).astype(np.float32))
    results = open_results(folder)
    assert results.siblings(results["a_z"])["p"].key == "a_p"
    assert results.siblings(results["b_z"])["p"].key == "b_p"
    assert np.array_equal(results["a_z"].mask, inside)
    assert np.array_equal(results["b_z"].mask, ~inside)
    titles = {m.title for m in results.maps.values()}
    assert len(titles) == 4
    assert sum(title.startswith("a: ") for title in titles) == 2


def test_the_mask_is_what_the_siblings_hold_together(folder, save, values):
    # A one-tailed z is 0 at most places inside; p is 0 only outside.
    inside = np.zeros(values.shape, bool)
    inside[3:15, 4:20, 2:17] = True
    p = np.where(inside, np.abs(values) / 100 + 0.001, 0).astype(np.float32)
    save("results/p.nii.gz", p)
    save("results/z.nii.gz", np.where(inside, np.maximum(values, 0), 0))
    results = open_results(folder)
    for m in results.maps.values():
        assert np.array_equal(m.mask, inside)
        assert not m.mask.flags.writeable
    assert not results["p"].data[~inside].any()


def test_a_lone_z_does_not_tell_its_mask(folder, fill):
    fill("z.nii.gz")
    assert open_results(folder)["z"].mask is None


def test_flat_downloads_from_neurovault_open_as_one_run_each(folder, fill):
    fill(
        "collection-123_id-4567_z.nii.gz",
        "collection-123_id-4568_p.nii.gz",
        "collection-999_id-4569_z.nii.gz",
    )
    results = open_results(folder)
    z = results["collection-123_id-4567_z"]
    assert z.kind is MapKind.Z
    assert results.siblings(z)["p"].key == "collection-123_id-4568_p"
    assert results.siblings(results["collection-999_id-4569_z"]) == {}


def test_names_that_a_server_made_unique_open(folder, fill):
    fill("z_a1B2c3D.nii.gz", "p_a1B2c3E.nii.gz", "z_2.nii.gz")
    results = open_results(folder)
    assert [m.kind for m in results.maps.values()].count("z") == 2
    assert results["p_a1B2c3E"].kind is MapKind.P


def test_names_of_old_nimare_open(folder, fill):
    corrected = "_level-cluster_corr-FWE_method-montecarlo.nii.gz"
    fill("ale.nii.gz", "of.nii.gz", f"z{corrected}", f"logp{corrected}", "z.nii.gz")
    results = open_results(folder)
    assert results["ale"].kind is results["of"].kind is MapKind.STAT
    z = results["z_level-cluster_corr-FWE_method-montecarlo"]
    assert z.level == "cluster"
    assert results.uncorrected(z).key == "z"
    assert set(results.siblings(z)) == {"logp"}


def test_names_that_are_not_nimares_open_under_their_own(folder, fill):
    fill(
        "spmT_0001.nii", "my map.nii.gz", "zstat1.nii.gz", "x_tfce_corrp_tstat1.nii.gz"
    )
    results = open_results(folder)
    kinds = {m.key: m.kind for m in results.maps.values()}
    assert kinds == {
        "spmT_0001": MapKind.T,
        "my map": MapKind.OTHER,
        "zstat1": MapKind.Z,
        "x_tfce_corrp_tstat1": MapKind.ONE_MINUS_P,
    }
    assert results["my map"].title == "my map"
    assert results.siblings(results["my map"]) == {}


def test_a_map_beside_its_gzipped_self_keeps_its_own_key(folder, fill, save, values):
    fill("z.nii.gz")
    save("results/z.nii", values * 2)
    results = open_results(folder)
    assert set(results.maps) == {"z", "z.nii.gz"}
    assert np.array_equal(results["z"].data, values * 2)
    assert np.array_equal(results["z.nii.gz"].data, values)
    assert len({m.title for m in results.maps.values()}) == 2


def test_hidden_files_are_left_alone(folder, fill, values):
    fill("z.nii.gz")
    for name in ("._z.nii.gz", "._x.tsv", "._boilerplate.txt", "._m.pkl", ".DS_Store"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07 resource fork")
    results = open_results(folder)
    assert list(results.maps) == ["z"]
    assert results.problems == ()
    assert results.methods == ""
    assert len(results.tables) == 0


def test_endings_in_capitals_open(folder, fill):
    fill("z.nii.gz")
    (folder / "z.nii.gz").rename(folder / "Z.NII.GZ")
    assert list(open_results(folder).maps) == ["Z"]


def test_one_broken_map_leaves_the_others(folder, fill):
    fill("z.nii.gz", "p.nii.gz")
    (folder / "p.nii.gz").write_bytes(b"broken")
    (folder / "stat.nii.gz").mkdir()
    results = open_results(folder)
    assert list(results.maps) == ["z"]
    assert [
        name in problem
        for name, problem in zip(
            ("p.nii.gz", "stat.nii.gz"), results.problems, strict=True
        )
    ] == [True, True]


def test_a_folder_of_broken_maps_says_all_that_is_wrong(folder):
    for name in ("z.nii.gz", "p.nii"):
        (folder / name).write_bytes(b"broken")
    with pytest.raises(ResultsError, match=r"(?s)p\.nii is not.*z\.nii\.gz is not"):
        open_results(folder)


def test_a_notice_on_many_maps_is_said_once(folder, save, values):
    for name in ("z", "p", "stat"):
        save(f"results/{name}.nii.gz", values, np.diag([8.0, 8, 8, 1]))
    results = open_results(folder)
    (problem,) = results.problems
    assert problem.startswith("p.nii.gz and 2 more: it is not in MNI space")
    assert all(m.notices for m in results.maps.values())


@pytest.mark.parametrize(
    ("scale", "origin", "words"),
    [
        (8.0, (0, 0, 0), "misses most of the MNI brain"),
        (8000.0, (-72e3, -108e3, -72e3), "impossible for a head"),
        (0.05, (-0.5, -0.6, -0.5), "misses most of the MNI brain"),
        (8.0, (928, -108, -72), "misses most of the MNI brain"),
    ],
    ids=["corner at the origin", "micrometers", "mouse", "elsewhere"],
)
def test_a_grid_that_is_no_human_brain_in_mni_space_says_so(
    folder, save, values, scale, origin, words
):
    affine = np.diag([scale, scale, scale, 1])
    affine[:3, 3] = origin
    save("results/z.nii.gz", values, affine)
    results = open_results(folder)
    (problem,) = results.problems
    assert problem.startswith("z.nii.gz: it is not in MNI space")
    assert words in problem
    assert np.array_equal(results["z"].data, values)


# --- What is beside the maps -----------------------------------------------------


def test_tables_are_read_by_stem_when_asked_for(folder, fill):
    fill("z.nii.gz")
    table = folder / "z_tab-clust.tsv"
    pd.DataFrame({"Cluster ID": ["PositiveTail 1"], "X": [1.5]}).to_csv(
        table, sep="\t", index=False
    )
    results = open_results(folder)
    assert list(results.tables) == ["z_tab-clust"]
    assert results.tables["z_tab-clust"]["X"].tolist() == [1.5]
    table.unlink()
    assert len(results.tables["z_tab-clust"]) == 1
    assert "other" not in results.tables


@pytest.mark.parametrize(
    "content", [b"", b"a\tb\n1\t2\n1\t2\t3\t4\n", b"\xff\xfe\x00\xd8\n", b'a\n"open']
)
def test_a_broken_table_raises_only_when_asked_for(folder, fill, content):
    fill("z.nii.gz")
    (folder / "z_tab-clust.tsv").write_bytes(content)
    results = open_results(folder)
    assert results.problems == ()
    with pytest.raises(
        ResultsError, match=r"z_tab-clust\.tsv cannot be read as a table"
    ):
        results.tables["z_tab-clust"]


def test_a_table_that_went_or_is_a_folder_is_told(folder, fill):
    fill("z.nii.gz")
    (folder / "a.tsv").write_text("x\n1\n")
    (folder / "b.tsv").mkdir()
    results = open_results(folder)
    (folder / "a.tsv").unlink()
    for key in ("a", "b"):
        with pytest.raises(ResultsError, match=rf"{key}\.tsv"):
            results.tables[key]


def test_a_table_too_large_for_results_is_not_read(folder, fill):
    fill("z.nii.gz")
    with open(folder / "a.tsv", "wb") as file:
        file.truncate(65 << 20)  # sparse: takes no room
    with pytest.raises(ResultsError, match=r"a\.tsv is too large"):
        open_results(folder).tables["a"]


def test_methods_and_references_are_found_with_any_prefix(folder, fill):
    fill("z.nii.gz")
    (folder / "pain_boilerplate.txt").write_text("An \\ale{} of pain, ±.\n", "utf-8")
    (folder / "references.bib").write_text("@article{a}\n", "utf-8")
    results = open_results(folder)
    assert results.methods == "An \\ale{} of pain, ±."
    assert results.references == "@article{a}"


def test_texts_in_another_encoding_or_without_end_do_no_harm(folder, fill):
    fill("z.nii.gz")
    (folder / "boilerplate.txt").write_bytes(b"caf\xe9")
    with open(folder / "references.bib", "wb") as file:
        file.truncate(1 << 30)
    results = open_results(folder)
    assert results.methods == "caf\N{REPLACEMENT CHARACTER}"
    assert len(results.references) <= 1 << 20


def test_a_text_that_cannot_be_read_is_said(folder, fill):
    fill("z.nii.gz")
    (folder / "boilerplate.txt").mkdir()
    (problem,) = open_results(folder).problems
    assert "boilerplate.txt cannot be read" in problem


@pytest.mark.parametrize("name", ["meta_results.pkl", "meta_results.pkl.gz"])
def test_a_pickle_is_never_loaded_and_said(folder, fill, tmp_path, name):
    fill("z.nii.gz")
    traces = tmp_path / "the pickle ran"
    raw = pickle.dumps(Bomb(traces))
    (folder / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    results = open_results(folder)
    results.read(results.maps.values())
    assert not traces.exists()
    (problem,) = results.problems
    assert name in problem
    assert "was not read" in problem
    pickle.loads(raw)
    assert traces.exists(), "the bomb of this test is a dud"


# --- What would never end --------------------------------------------------------


@pytest.mark.timed
@pytest.mark.skipif(sys.platform == "win32", reason="no mkfifo, no /dev/zero there")
@pytest.mark.parametrize(
    "name",
    [
        *("my_boilerplate.txt", "references.bib", "t.tsv", "p.nii.gz", "y.img"),
        *("studyset.json", "y.mat", "collection_metadata.json"),
    ],
)
@pytest.mark.parametrize("make", [os.mkfifo, lambda p: os.symlink("/dev/zero", p)])
def test_pipes_and_devices_are_named_and_left(folder, save, fill, name, make):
    fill("z.nii.gz")
    if name.startswith("y."):
        save("results/y.hdr", np.ones((5, 5, 5), "f4"), image=nib.AnalyzeImage)
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    results = open_results(folder)
    assert results["z"].data.any()
    told = list(results.problems)
    for read in (lambda: results.tables["t"], lambda: results.studies):
        try:
            read()
        except (ResultsError, KeyError) as error:
            told.append(str(error))
    assert name.startswith("coll") or any("pipe or a device" in line for line in told)


def test_a_zip_that_is_a_pipe_is_named(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(ResultsError, match="pipe or a device"):
        open_results(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "text",
    [
        "id" + "\t" * 6000 + "\n",
        "a\n" * 100 + "\t" * 6000,
        "a" + "\t" * 3000 + "\n" + "b\n" * 3000,
        "a\r" * 6_000_000,
    ],
    ids=["wide", "wide below", "filled up", "long"],
)
def test_a_table_is_bounded_before_it_is_read(folder, fill, text):
    fill("z.nii.gz")
    (folder / "t.tsv").write_text(text)
    with pytest.raises(ResultsError, match=r"t\.tsv is too large"):
        _ = open_results(folder).tables["t"]


# --- Nothing to open -------------------------------------------------------------


def test_an_empty_folder_says_where_maps_are(folder):
    (folder / "notes.txt").write_text("nothing")
    (folder / "empty").mkdir()
    with pytest.raises(
        ResultsError, match=r"results holds no map \(\.nii\.gz"
    ) as caught:
        open_results(folder)
    assert "Open the folder that NiMARE wrote" in str(caught.value)


def test_a_folder_of_folders_names_those_with_maps(folder, fill):
    fill(*(f"{name}/z.nii.gz" for name in "abcd"))
    (folder / "empty").mkdir()
    with pytest.raises(ResultsError, match=r"sub-folders do \(a, b, c, \.\.\.\)"):
        open_results(folder)


def test_a_folder_with_nothing_but_a_pickle_says_what_to_do(folder, tmp_path):
    traces = tmp_path / "the pickle ran"
    (folder / "meta_results.pkl").write_bytes(pickle.dumps(Bomb(traces)))
    with pytest.raises(ResultsError, match=r"holds a pickle but no map.*save_maps"):
        open_results(folder)
    assert not traces.exists()


def test_the_address_of_a_file_is_its_path(tmp_path, write):
    folder = write({"z": np.ones((8, 9, 8))}, name="with blank")
    assert list(open_results(folder.as_uri()).maps) == ["z"]
    with pytest.raises(ResultsError, match=r"gone\.nii\.gz does not exist"):
        open_results((tmp_path / "gone.nii.gz").as_uri())


def test_a_missing_folder_and_no_files_are_refused(tmp_path):
    with pytest.raises(ResultsError, match="gone"):
        open_results(tmp_path / "gone")
    with pytest.raises(ResultsError, match="list of files is empty"):
        open_results([])


# --- Lists of files --------------------------------------------------------------


def test_one_file_is_opened_without_its_neighbors(folder, fill):
    fill("z.nii.gz", "p.nii.gz")
    (folder / "x.tsv").write_text("a\n1\n")
    for source in (folder / "z.nii.gz", [folder / "z.nii.gz"]):
        results = open_results(source)
        assert list(results.maps) == ["z"]
        assert results.title == "z"
        assert len(results.tables) == 0


def test_a_list_of_files_is_one_set(folder, fill):
    fill("z.nii.gz", "p.nii.gz", "stat.nii.gz")
    results = open_results([folder / "z.nii.gz", str(folder / "p.nii.gz")])
    assert list(results.maps) == ["z", "p"]
    assert results.title == "results"
    assert set(results.siblings(results["z"])) == {"p"}


def test_files_of_one_name_from_two_folders_are_both_there(save, values):
    first, second = save("a/z.nii.gz", values), save("b/z.nii.gz", -values)
    results = open_results([first, second])
    assert len(results.maps) == 2
    data = {m.path: m.data for m in results.maps.values()}
    assert np.array_equal(data[str(first)], values)
    assert np.array_equal(data[str(second)], -values)


def test_a_file_named_twice_is_opened_once(folder, fill):
    fill("z.nii.gz")
    assert list(open_results([folder / "z.nii.gz"] * 2).maps) == ["z"]


def test_what_is_no_image_in_a_list_is_said(folder, fill):
    fill("z.nii.gz")
    (folder / "notes.txt").write_text("?")
    (folder / "sub").mkdir()
    results = open_results([folder / "z.nii.gz", folder / "notes.txt", folder / "sub"])
    assert list(results.maps) == ["z"]
    assert "notes.txt is not an image" in results.problems[0]
    assert "sub is not an image" in results.problems[1]


def test_a_path_that_is_not_there_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ResultsError, match="nowhere does not exist"):
        open_results(tmp_path / "nowhere")
    with pytest.raises(ResultsError, match="not an image this plugin knows"):
        open_results(tmp_path / "notes.txt")
