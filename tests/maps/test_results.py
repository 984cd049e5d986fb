"""A result set: order, siblings, masks, tables and texts, and how long voxels live."""

from __future__ import annotations

import copy
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from napari_neurosynth_results import ResultsError, open_results
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Grid, Voxels
from napari_neurosynth_results.maps.kinds import MapKind
from napari_neurosynth_results.maps.programs import reading_of
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.voxel_cache import VoxelCache

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Open = Callable[..., ResultSet]
FWE = "corr-FWE_method-montecarlo"


class _Memory:
    """A voxel source in memory that counts how often it is read."""

    def __init__(self, voxels: Voxels | ResultsError, notices: tuple[str, ...] = ()):
        self.voxels = voxels
        self.notices = notices
        self.reads = 0

    def read(self) -> tuple[Voxels, tuple[str, ...]]:
        self.reads += 1
        if isinstance(self.voxels, ResultsError):
            raise self.voxels
        return self.voxels.copy(), self.notices


def _file(stem: str, source: _Memory) -> MapFile:
    told = reading_of(stem, from_server=True)
    grid = Grid((4, 4, 4), np.diag([40.0, 45.0, 40.0, 1.0]))
    return MapFile(
        stem, told.name, told.kind, grid, f"{stem}.nii.gz", source, stated=told
    )


def _set(sources: dict[str, _Memory], **more: object) -> ResultSet:
    files = [_file(stem, source) for stem, source in sources.items()]
    return ResultSet(files, title="a title", source="somewhere", **more)  # type: ignore[arg-type]


def _ones() -> _Memory:
    return _Memory(np.full((4, 4, 4), 0.5, np.float32))


def _names(*stems: str) -> list[str]:
    return list(_set({stem: _ones() for stem in stems}).maps)


# --- order of interest ---


def test_kinds_come_in_order_of_interest() -> None:
    wanted = ["z", "t", "p", "logp", "chi2", "prob", "stat", "est", "se", "tau2"]
    wanted += ["sigma2", "dof", "anything", "label_tail-positive"]
    assert _names(*sorted(wanted)) == wanted
    assert _names(*sorted(wanted, reverse=True)) == wanted


def test_corrected_comes_before_uncorrected_and_clusters_before_voxels() -> None:
    wanted = [
        f"z_desc-mass_level-cluster_{FWE}",
        f"z_desc-size_level-cluster_{FWE}",
        f"z_level-voxel_{FWE}",
        "z",
    ]
    assert _names(*sorted(wanted)) == wanted


def test_the_main_contrast_comes_first_and_the_repeated_one_last() -> None:
    # MKDAChi2's group1 holds the numbers of uniformity once more.
    wanted = [f"z_desc-{c}" for c in ("association", "uniformity", "group2", "group1")]
    assert _names(*sorted(wanted)) == wanted


def test_groups_of_a_subtraction_come_in_their_own_order() -> None:
    wanted = [f"z_desc-{c}" for c in ("group1MinusGroup2", "group1", "group2")]
    assert _names(*sorted(wanted, reverse=True)) == wanted


def test_runs_stay_together_within_a_rank() -> None:
    assert _names("b_z", "a_z", "b_p", "a_p") == ["a_z", "b_z", "a_p", "b_p"]


# --- a mapping of maps ---


def test_maps_are_a_mapping_by_file_stem() -> None:
    results = _set({"z": _ones(), "spmT_0001": _ones()})
    assert len(results.maps) == 2
    assert "z" in results.maps
    assert "p" not in results.maps
    assert [m.key for m in results.maps.values()] == ["z", "spmT_0001"]
    with pytest.raises(KeyError):
        _ = results.maps["p"]
    assert repr(results) == "<ResultSet 'a title': 2 maps, 0 problems>"


def test_a_map_is_one_object_while_somebody_holds_it() -> None:
    results = _set({"z": _ones()})
    z = results["z"]
    assert results["z"] is z
    assert results.maps["z"] is z
    assert next(iter(results.maps.values())) is z


def test_copies_of_a_map_are_the_map() -> None:
    z = _set({"z": _ones()})["z"]
    assert copy.copy(z) is z
    assert copy.deepcopy(z) is z
    assert copy.deepcopy({"layer": [z]})["layer"][0] is z


def test_a_set_dies_without_the_garbage_collector() -> None:
    enabled = gc.isenabled()
    gc.disable()
    try:
        results = _set({"z": _ones(), "p": _ones()})
        z = results["z"]
        for used in (z.data, z.mask, z.tail, z.signed, results["p"].tail):
            del used
        assert list(results.siblings(z)) == ["p"]
        gone = weakref.ref(z.data)
        del results, z
        assert gone() is None
    finally:
        if enabled:
            gc.enable()


def test_threads_that_read_maps_leave_garbage_to_whoever_waits() -> None:
    collected: list[threading.Thread] = []

    class Littering(_Memory):
        def read(self) -> tuple[Voxels, tuple[str, ...]]:
            circle = Littering(self.voxels)
            vars(circle)["itself"] = circle
            weakref.finalize(
                circle, lambda: collected.append(threading.current_thread())
            )
            del circle
            assert len([[n] for n in range(100_000)])
            return super().read()

    sources = {stem: Littering(np.ones((4, 4, 4), np.float32)) for stem in ("z", "p")}
    assert _set(dict(sources))["z"].mask is not None
    gc.collect()
    assert set(collected) == {threading.main_thread()}


def test_what_a_map_says_of_itself() -> None:
    source = _ones()
    m = _set({f"z_desc-mass_level-cluster_{FWE}": source})[
        f"z_desc-mass_level-cluster_{FWE}"
    ]
    assert (m.kind, m.level, m.correction) == (MapKind.Z, "cluster", "FWE")
    assert m.title == "z, cluster-level FWE (mass, Monte Carlo)"
    assert m.path == f"{m.key}.nii.gz"
    assert m.affine.shape == (4, 4)
    assert source.reads == 0


def test_a_foreign_map_has_no_name_level_or_correction() -> None:
    m = _set({"spmT_0001": _ones()})["spmT_0001"]
    assert (m.name, m.level, m.correction) == (None, None, None)
    assert m.title == "spmT_0001"
    assert m.results.siblings(m) == {}
    assert m.results.uncorrected(m) is None
    assert m.results.run_of(m) == [m]


def test_titles_are_unique_in_a_set() -> None:
    stems = ["z", "z_1", "z_a1B2c3D", "a_z", "b_z", "z_corr-FDR", "z_method-x_corr-FDR"]
    maps = _set({stem: _ones() for stem in stems}).maps.values()
    assert len({m.title for m in maps}) == len(stems)


# --- siblings and uncorrected maps ---


def test_siblings_share_all_entities() -> None:
    mass = f"desc-mass_level-cluster_{FWE}"
    results = _set(
        {
            stem: _ones()
            for stem in (
                *("z", "p", "logp", "stat", f"z_{mass}", f"logp_{mass}"),
                f"label_{mass}_tail-positive",
            )
        }
    )
    z = results["z"]
    found = results.siblings(z)
    assert {value: m.key for value, m in found.items()} == {
        "p": "p",
        "logp": "logp",
        "stat": "stat",
    }
    assert list(results.siblings(results[f"z_{mass}"])) == ["logp"]
    assert results.siblings(results[f"label_{mass}_tail-positive"]) == {}


def test_siblings_may_order_their_entities_differently() -> None:
    results = _set({"z_desc-A_corr-FDR": _ones(), "p_corr-FDR_desc-A": _ones()})
    assert list(results.siblings(results["z_desc-A_corr-FDR"])) == ["p"]


def test_siblings_stay_in_their_run() -> None:
    results = _set({stem: _ones() for stem in ("a_z", "b_z", "b_p", "p", "p_1")})
    assert results.siblings(results["a_z"]) == {}
    assert results.siblings(results["b_z"])["p"].key == "b_p"


def test_random_suffixes_do_not_part_siblings() -> None:
    results = _set({"z_a1B2c3D": _ones(), "p": _ones()})
    assert results.siblings(results["z_a1B2c3D"])["p"].key == "p"


@pytest.mark.parametrize(
    ("corrected", "uncorrected"),
    [
        (f"z_desc-mass_level-cluster_{FWE}", "z"),
        (f"logp_level-voxel_{FWE}", "logp"),
        ("z_corr-FDR_method-indep", "z"),
        (f"z_desc-associationSize_level-cluster_{FWE}", "z_desc-association"),
        ("z", "z"),
        ("stat_corr-FDR", None),
        ("b_z_corr-FDR", None),
    ],
)
def test_uncorrected(corrected: str, uncorrected: str | None) -> None:
    results = _set(
        {
            stem: _ones()
            for stem in {corrected, "z", "logp", "p", "z_desc-association", "a_z"}
        }
    )
    found = results.uncorrected(results[corrected])
    assert (found.key if found else None) == uncorrected


def test_uncorrected_with_another_value() -> None:
    results = _set({stem: _ones() for stem in ("z", "p_corr-FDR", "logp", "b_z")})
    found = results.uncorrected(results["p_corr-FDR"], "z")
    assert found is not None
    assert found.key == "z"
    assert results.uncorrected(results["b_z"], "logp") is None


# --- voxels ---


def test_voxels_are_read_when_asked_for_and_once() -> None:
    source = _ones()
    results = _set({"z": source})
    assert source.reads == 0
    assert results["z"].data is results["z"].data
    assert source.reads == 1


def test_data_are_read_only(opened: Open, ale: dict[str, Array]) -> None:
    data = opened(ale)["z"].data
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, ale["z"].astype(np.float32))
    with pytest.raises(ValueError, match="read-only"):
        data[0, 0, 0] = 1


def test_has_negatives_and_signed(opened: Open, ale: dict[str, Array]) -> None:
    stat = ale["stat"].copy()
    stat[4, 4, 4] = -1
    results = opened({"stat_desc-group1MinusGroup2": stat, "stat": ale["stat"]})
    assert results["stat_desc-group1MinusGroup2"].signed
    assert not results["stat"].signed
    # -log10 p cannot point anywhere, even when rounding makes it negative.
    logp = opened({"logp": stat})["logp"]
    assert logp.has_negatives
    assert not logp.signed


def test_reading_several_leaves_out_what_is_broken() -> None:
    broken = _Memory(ResultsError("p.nii.gz is broken"))
    results = _set({"z": _ones(), "p": broken})
    assert list(results.read(results.maps.values())) == ["z"]
    assert results.problems == ("p.nii.gz is broken",)


def test_problems_are_said_once_and_the_list_grows() -> None:
    source = _Memory(_ones().voxels, ("z.nii.gz: something",))
    results = _set({"z": source}, problems=["before"])
    assert results.problems == ("before",)
    _ = results["z"].data
    results.report("z.nii.gz: something")
    assert results.problems == ("before", "z.nii.gz: something")


def test_a_broken_map_is_refused_each_time_and_reported_once() -> None:
    source = _Memory(ResultsError("z.nii.gz is broken"))
    results = _set({"z": source})
    for _ in range(2):
        with pytest.raises(ResultsError, match="is broken"):
            _ = results["z"].data
    assert results.problems == ("z.nii.gz is broken",)


def test_the_cache_keeps_to_its_limit_and_finds_what_others_hold() -> None:
    one = np.zeros((4, 4, 4), np.float32)
    cache = VoxelCache(limit=4 * one.nbytes)
    reads: list[str] = []

    def _get(key: str) -> Voxels:
        def _read() -> Voxels:
            reads.append(key)
            return one.copy()

        return cache.get(key, _read)

    held = _get("a")
    for key in "bcdef":
        _get(key)
    assert cache.nbytes == 4 * one.nbytes
    assert _get("a") is held
    assert reads == list("abcdef")
    # Nobody held b, and it was dropped.
    _get("b")
    assert reads == list("abcdefb")


def test_the_last_three_maps_stay_however_large_they_are() -> None:
    cache = VoxelCache(limit=10)
    for key in "abcd":
        cache.get(key, lambda: np.ones((4, 4, 4), np.float32))
    assert cache.nbytes == 3 * 256
    cache.release()
    assert cache.nbytes == 0


# --- grids ---


@pytest.mark.parametrize(
    ("moved", "same"), [(0.0, True), (0.0005, True), (0.01, False), (2.0, False)]
)
def test_grids_are_the_same_place_by_place(moved: float, same: bool) -> None:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    other = affine.copy()
    other[0, 3] += moved
    assert Grid((4, 5, 6), affine).same_as(Grid((4, 5, 6), other)) is same
    assert not Grid((4, 5, 6), affine).same_as(Grid((4, 5, 7), affine))


def test_a_grid_reads_as_in_a_sentence() -> None:
    assert (
        str(Grid((91, 109, 91), np.diag([2.0, 2.0, 2.0, 1.0]))) == "91 x 109 x 91, 2 mm"
    )
    assert (
        str(Grid((4, 5, 6), np.diag([1.0, 2.0, 3.5, 1.0])))
        == "4 x 5 x 6, 1 x 2 x 3.5 mm"
    )


def test_a_grid_outside_the_brain_is_doubted() -> None:
    brain = np.diag([20.0, 20.0, 20.0, 1.0])
    brain[:3, 3] = (-70, -110, -60)
    assert Grid((8, 9, 8), brain).mni_doubt() is None
    away = brain.copy()
    away[0, 3] = 500
    assert "misses most of the MNI brain" in (Grid((8, 9, 8), away).mni_doubt() or "")
    huge = brain * [[10], [10], [10], [1]]
    assert "impossible for a head" in (Grid((8, 9, 8), huge).mni_doubt() or "")


# --- tables and texts ---


def test_tables_are_read_when_asked_for_and_once(
    write: Callable[..., Path], ale: dict[str, Array]
) -> None:
    folder = write(ale, {"z_tab-clust.tsv": "Cluster ID\tX\nPositiveTail 1\t-4\n"})
    results = open_results(folder)
    assert list(results.tables) == ["z_tab-clust"]
    assert "z_tab-clust" in results.tables
    assert len(results.tables) == 1
    # Written again after opening: so it was not read yet.
    table = folder / "z_tab-clust.tsv"
    table.write_text("Cluster ID\tX\nPositiveTail 7\t8\n", encoding="utf-8")
    assert results.tables["z_tab-clust"]["X"].tolist() == [8]
    table.unlink()
    assert results.tables["z_tab-clust"] is results.tables["z_tab-clust"]
    with pytest.raises(KeyError):
        _ = results.tables["z"]


def test_a_broken_table_is_refused_when_asked_for(
    write: Callable[..., Path], ale: dict[str, Array]
) -> None:
    folder = write(ale, {"z_tab-clust.tsv": ""})
    results = open_results(folder)
    with pytest.raises(ResultsError, match=r"z_tab-clust\.tsv"):
        _ = results.tables["z_tab-clust"]


def test_tables_do_not_load_pandas(opened: Open, ale: dict[str, Array]) -> None:
    before = "pandas" in sys.modules
    assert list(opened(ale, {"z_tab-clust.tsv": "X\n1\n"}).tables) == ["z_tab-clust"]
    assert ("pandas" in sys.modules) == before


def test_texts_are_kept_as_they_are(opened: Open, ale: dict[str, Array]) -> None:
    methods = "This procedure was repeated 200 times to build null distributions."
    results = opened(ale, {"boilerplate.txt": methods, "references.bib": "@article{a}"})
    assert results.methods == methods
    assert results.references == "@article{a}"
    assert results.studies is None


def test_titles_and_sources_of_sets(
    write: Callable[..., Path], ale: dict[str, Array]
) -> None:
    folder = write(ale)
    results = open_results(folder)
    assert (results.title, results.source) == (folder.name, str(folder))
    assert open_results(folder / "z.nii.gz").title == "z"
    assert results.methods == ""


def test_a_p_of_0_is_outside_or_underflowed(opened: Open, inside: Bool) -> None:
    p, z = np.where(inside, 0.5, 0), np.where(inside, 1.0, 0)
    p[4, 4, 4] = 0
    results = opened({"p": p, "z": z})
    found = results["p"].underflowed
    assert np.array_equal(results["p"].inside, inside)
    assert np.argwhere(found).tolist() == [[4, 4, 4]]
    # Found once, as the mask is: a slider asks at each step.
    assert results["p"].underflowed is found
    assert results["p"].inside is results["p"].mask
    # A 0 of a z map is a value.
    assert results["z"].inside is None
    assert results["z"].underflowed is None


def test_no_p_underflowed_where_no_other_map_tells(opened: Open, inside: Bool) -> None:
    p = np.where(inside, 0.5, 0)
    p[4, 4, 4] = 0
    alone = opened({"p": p})["p"]
    assert np.array_equal(alone.inside, p > 0)
    assert alone.underflowed is None
