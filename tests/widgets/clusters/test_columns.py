"""Columns of the cluster table: how much room names have, and what is left of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtGui import QFontMetrics

from napari_neurosynth_results import find_clusters
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.widgets.clusters.columns import (
    CLUSTER_COLUMNS,
    NAME_COLUMN,
    room_for_names,
    shorten_name,
)
from napari_neurosynth_results.widgets.clusters.table import ClusterModel

EXTENT = [column.key for column in CLUSTER_COLUMNS].index("n_voxels")
WIDTHS = st.dictionaries(
    st.integers(0, len(CLUSTER_COLUMNS) - 1), st.integers(20, 90), min_size=1
)


def test_a_name_without_room_keeps_its_side(qapp: Any) -> None:
    metrics = QFontMetrics(qapp.font())
    room = metrics.horizontalAdvance("Supramarginal")
    for side in (" R", " L 2", " R (2 mm)"):
        name = f"Supramarginal{side}"
        assert shorten_name(name, metrics, 2 * room) == name
        short = shorten_name(name, metrics, room)
        assert short.endswith(f"…{side}")
        assert short.startswith("Su")
        assert metrics.horizontalAdvance(short) <= room
    assert shorten_name("Brain stem, all of it", metrics, room).endswith("…")


@given(widths=WIDTHS, whole=st.integers(100, 2000))
def test_names_leave_others_in_sight_and_take_what_is_left(
    widths: dict[int, int], whole: int
) -> None:
    room = room_for_names(widths, whole)
    others = {n: wide for n, wide in widths.items() if n != NAME_COLUMN}
    needed = sum(wide for n, wide in others.items() if n <= EXTENT)
    # Where the extent is not in sight, names could not be narrower.
    assert room + needed <= whole or room == room_for_names(widths, 0)
    assert room >= whole - sum(others.values())


@pytest.mark.parametrize(("whole", "room"), [(500, 450), (150, 100), (100, 68)])
def test_a_column_that_is_not_needed_gives_way_first(whole: int, room: int) -> None:
    last = len(CLUSTER_COLUMNS) - 1
    assert room_for_names({0: 50, NAME_COLUMN: 300, last: 0}, whole) == room
    assert room_for_names({0: 50, NAME_COLUMN: 300, last: 900}, whole) == room


@pytest.mark.parametrize("which", ["", "_desc-mass_level-cluster", "_level-voxel"])
def test_no_two_columns_have_one_title(
    qapp: Any, sample: ResultSet, which: str
) -> None:
    """They are chosen by it from a menu."""
    key = f"z{which}_corr-FWE_method-montecarlo" if which else "z"
    model = ClusterModel()
    model.show(find_clusters(sample[key], p=0.05))
    titles = [model.title(n) for n in range(len(CLUSTER_COLUMNS))]
    assert sorted(titles) == sorted(set(titles))
    assert titles.count("p_FWE") == bool(which)


def test_a_value_that_is_p_is_written_as_p(qapp: Any, sample: ResultSet) -> None:
    """With three decimals the strongest peaks would all be 0.000."""
    model = ClusterModel(None)
    keys = [column.key for column in CLUSTER_COLUMNS]
    told = {}
    for key in ("p", "z"):
        model.show(find_clusters(sample[key], p=0.001, min_voxels=40), None)
        told[key] = [
            model.index(0, keys.index(column)).data()
            for column in ("peak_value", "peak_p")
        ]
    assert told == {"p": ["8.54e-12"] * 2, "z": ["6.729", "8.54e-12"]}
