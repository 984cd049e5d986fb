"""Foci in clusters: against foci that are looked at one after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_neurosynth_results.maps.grid import Grid
from napari_neurosynth_results.maps.studies import (
    Analysis,
    Experiments,
    Focus,
    Studies,
    Study,
)
from napari_neurosynth_results.statistics.studies.contributions import count_foci

SHAPE = (7, 6, 8)
AFFINE = np.diag([2.0, 3.0, 2.5, 1.0])
AFFINE[:3, 3] = -6, 4, -10
GRID = Grid(SHAPE, AFFINE)

coordinate = st.floats(-12, 30, allow_nan=False)


def is_clear(place: tuple[float, float, float]) -> bool:
    """Whether a place is nearer to one voxel, not halfway, where rounding decides."""
    voxels = (np.array(place) - AFFINE[:3, 3]) / np.diag(AFFINE)[:3]
    return bool((np.abs(np.abs(voxels - np.round(voxels)) - 0.5) > 1e-9).all())


place = st.tuples(coordinate, coordinate, coordinate).filter(is_clear)


def study(name: str, *analyses: Analysis) -> Study:
    """Return a study whose id is not its name."""
    return Study(f"id-{name}", name, analyses=analyses)


def analysis(
    name: str, *places: tuple[float, float, float], group: int = 1
) -> Analysis:
    """Return an analysis with foci."""
    return Analysis(f"id-{name}", name, tuple(Focus(*p) for p in places), group)


def by_hand(
    labels: np.ndarray, signs: list[int], experiments: Experiments
) -> dict[str, list[int]]:
    """Count as NiMARE says: foci less than one voxel from a voxel of the cluster."""
    inverse = np.linalg.inv(AFFINE)
    pairwise = len({one.group for one in experiments.listed}) > 1
    counted = {one.id: [0] * len(signs) for one in experiments.listed}
    for one in experiments.listed:
        for focus in (f for a in one.analyses for f in a.foci):
            voxel = np.round((inverse @ [focus.x, focus.y, focus.z, 1])[:3])
            for cluster, sign in enumerate(signs, start=1):
                if pairwise and (sign < 0) != (one.group == 2):
                    continue
                away = np.linalg.norm(np.argwhere(labels == cluster) - voxel, axis=1)
                counted[one.id][cluster - 1] += bool((away < 1).any())
    return counted


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(place, max_size=6), st.integers(0, 2)),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 2**32 - 1),
)
def test_counts_are_those_of_the_rule(
    given_foci: list[tuple[list[tuple[float, float, float]], int]], seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, SHAPE).astype(np.int32)
    signs = [1, 1, -1]
    studies = Studies(
        tuple(
            study(f"s{n}", analysis("a", *places, group=group))
            for n, (places, group) in enumerate(given_foci)
        )
    )
    experiments = Experiments(studies)
    table = count_foci(labels, GRID, signs, experiments)
    assert table.T.to_dict("list") == by_hand(labels, signs, experiments)
    assert list(table.columns) == [1, 2, 3]
    assert table.index.name == "experiment"


def test_analyses_of_one_study_are_one_experiment() -> None:
    labels = np.ones(SHAPE, np.int32)
    at = (0.0, 7.0, 0.0)
    one = study("A b", analysis("x", at), analysis("y", at, at), analysis("z", group=0))
    experiments = Experiments(Studies((one, study("B", analysis("x")))))
    table = count_foci(labels, GRID, [1], experiments)
    # A study without foci has a row all the same: it took part.
    assert table[1].to_dict() == {"A_b-x;_y": 3, "B-x": 0}
    assert experiments.find("id-A b-id-y") is experiments.listed[0]
    assert experiments.find("A b-x") is experiments.listed[0]
    assert experiments.find("C-x") is None


def test_people_of_several_analyses_are_counted_once() -> None:
    analyses = (
        Analysis("1", "1", participants=12),
        Analysis("2", "2", participants=20),
        Analysis("3", "3", participants=99, group=0),
        Analysis("4", "4"),
    )
    [one] = Experiments(Studies((Study("s", "s", analyses=analyses),))).listed
    assert one.participants == 20
    nothing = Study("t", "t", analyses=(Analysis("1", "1"),))
    [one] = Experiments(Studies((nothing,))).listed
    assert one.participants is None


def test_without_foci_or_clusters_the_table_keeps_its_form() -> None:
    nobody = count_foci(np.ones(SHAPE, int), GRID, [1], Experiments(Studies(())))
    assert nobody.shape == (0, 1)
    one = Experiments(Studies((study("A", analysis("x", (0, 7, 0))),)))
    table = count_foci(np.zeros(SHAPE, int), GRID, [], one)
    assert table.shape == (1, 0)
    assert isinstance(table, pd.DataFrame)


@pytest.mark.parametrize(("x", "inside"), [(-7.1, False), (-6.9, True), (7.1, False)])
def test_the_edge_of_the_grid(x: float, inside: bool) -> None:
    one = Experiments(Studies((study("A", analysis("x", (x, 7, 0))),)))
    table = count_foci(np.ones(SHAPE, int), GRID, [1], one)
    assert table[1].tolist() == [int(inside)]
