"""The item model of the cluster table: what Qt asks of it, and what users see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from qtpy.QtCore import QModelIndex, Qt, qInstallMessageHandler
from qtpy.QtTest import QAbstractItemModelTester
from scipy import ndimage, stats

from helpers.corrected_maps import BONFERRONI, CORRECTIONS, FDR, corrected_test
from napari_neurosynth_results import api, open_results
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.widgets.clusters.columns import (
    CLUSTER_COLUMNS,
    NAME_COLUMN,
)
from napari_neurosynth_results.widgets.clusters.table import (
    ClusterModel,
    ClusterView,
)

Opened = Callable[..., ResultSet]
Array = npt.NDArray[Any]

#: Numbers instead of names: what the rows say does not depend on an atlas.
find_clusters = partial(api.find_clusters, atlas=None)

VOXEL = "z_level-voxel_corr-FWE_method-montecarlo"
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
KEYS = [column.key for column in CLUSTER_COLUMNS]
LABEL, X = KEYS.index("label"), KEYS.index("peak_x")
UP, DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
ROLE = Qt.ItemDataRole
SHAPE = (8, 9, 8)
EIGHT_MM = np.diag([8.0, 8, 8, 1])
EIGHT_MM[:3, 3] = -84, -120, -72


@pytest.fixture
def model(qapp: Any) -> ClusterModel:
    """Return a model that shows nothing yet."""
    return ClusterModel()


@pytest.fixture
def watched(qapp: Any) -> Iterator[ClusterModel]:
    """Return a model that Qt's own tester watches."""
    complaints: list[str] = []
    made = ClusterModel()
    # The tester writes to Qt's log, which vispy takes from pytest-qt.
    before = qInstallMessageHandler(lambda kind, where, what: complaints.append(what))
    tester = QAbstractItemModelTester(
        made, QAbstractItemModelTester.FailureReportingMode.Warning
    )
    yield made
    del tester
    qInstallMessageHandler(before)
    assert complaints == []


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> ClusterSet:
    """Return hundreds of clusters of both signs, some named, some without a p."""
    rng, folder = np.random.default_rng(8), tmp_path_factory.mktemp("many")
    z = ndimage.gaussian_filter(rng.normal(size=(22, 26, 20)), 0.6)
    z *= 2 / z.std()
    logp = -(stats.norm.logsf(np.abs(z)) + np.log(2)) / np.log(10)
    logp[z > 7] = np.nan
    for stem, data in (("z", z), ("logp", logp)):
        image = nib.Nifti1Image(data.astype(np.float32), EIGHT_MM)
        image.to_filename(folder / f"{stem}.nii.gz")
    z_map = open_results(folder)["z"]
    found = find_clusters(z_map, value=2.5, tail="both", peak_distance=4)
    for label, name in ((3, "Insula"), (9, "amygdala"), (200, "Zona incerta")):
        found = found.renamed(label, name)
    return found


@pytest.fixture
def few(opened: Opened) -> ClusterSet:
    """Return a cluster with a sub-peak, and one of a single voxel."""
    z = np.zeros(SHAPE)
    z[2, 2, 1:7] = 5, 1, 1, 1, 4, 1
    z[5, 5, 5] = 3.5
    return find_clusters(opened({"z": z})["z"], value=0.5)


@pytest.fixture(scope="module")
def tested(sample_path: Path) -> ClusterSet:
    """Return clusters that carry a p of their own."""
    return find_clusters(open_results(sample_path)[MASS], p=0.05)


def empty(clusters: ClusterSet) -> ClusterSet:
    return find_clusters(clusters.statmap, value=99)


def labels(model: ClusterModel) -> list[int]:
    """Return the labels of the rows, from top to bottom."""
    return [model.label_of(model.index(n, 0)) for n in range(model.rowCount())]


def cells(model: ClusterModel, index: QModelIndex) -> dict[str, str]:
    """Return the cells of a row that are not empty."""
    row = {key: text(model, index, key) for key in KEYS}
    return {key: cell for key, cell in row.items() if cell}


def text(model: ClusterModel, index: QModelIndex, key: str) -> str:
    return str(index.siblingAtColumn(KEYS.index(key)).data())


# --- what Qt asks -----------------------------------------------------------------


@pytest.mark.slow
def test_the_model_is_what_qt_expects_whatever_is_shown(
    watched: ClusterModel, many: ClusterSet, few: ClusterSet, tested: ClusterSet
) -> None:
    for clusters in (None, few, empty(few), tested, None, few):
        watched.show(clusters)
        for order in (DOWN, UP):
            for column in (NAME_COLUMN, X):
                watched.sort(column, order)
        for words in ("cluster 1", "nothing like it", ""):
            watched.filter(words)
        watched.color(np.ones((5, 4)))
    watched.show(many)
    watched.filter("cluster 1")


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["many", "few", "tested"])
def test_each_cluster_has_its_sub_peaks_below_it(
    request: pytest.FixtureRequest, model: ClusterModel, fixture: str
) -> None:
    clusters: ClusterSet = request.getfixturevalue(fixture)
    model.show(clusters)
    for arrange in (
        lambda: None,
        lambda: model.sort(KEYS.index("mean_value"), DOWN),
        lambda: model.filter("1"),
    ):
        arrange()
        assert model.rowCount() > 0
        for row in range(model.rowCount()):
            check_sub_peaks(model, model.index(row, 0), clusters.peaks)


def check_sub_peaks(
    model: ClusterModel, cluster: QModelIndex, peaks: pd.DataFrame
) -> None:
    """Compare a cluster's rows with the table of peaks."""
    label = model.label_of(cluster)
    mine = peaks[peaks.label == label]
    rows = [cluster] + [
        model.index(n, 0, cluster) for n in range(model.rowCount(cluster))
    ]
    assert len(rows) == len(mine)
    letters = ["", *"abc"]
    for row, letter, peak in zip(rows, letters, mine.itertuples(), strict=False):
        assert model.label_of(row) == label
        assert text(model, row, "label") == f"{label}{letter}"
        assert model.place_of(row) == (peak.peak_x, peak.peak_y, peak.peak_z)
        assert text(model, row, "peak_value") == f"{peak.peak_value:.3f}"
        assert model.parent(row) == (cluster if letter else QModelIndex())
        assert model.rowCount(row) == (0 if letter else len(mine) - 1)


def test_nothing_and_an_empty_set_have_no_rows(
    model: ClusterModel, few: ClusterSet
) -> None:
    for clusters in (None, empty(few)):
        model.show(few)
        model.show(clusters)
        assert model.clusters is clusters
        assert model.rowCount() == 0
        assert model.columnCount() == len(CLUSTER_COLUMNS)
        assert not model.index(0, 0).isValid()
        assert not model.index_of(1).isValid()
        assert model.label_of(QModelIndex()) == 0
        model.sort(X, DOWN)
        model.filter("word")
        assert model.rowCount() == 0
        model.filter("")


# --- sorting and filtering --------------------------------------------------------


def numbered(name: str) -> str:
    """Fill up the numbers in a name with zeros."""
    words = name.lower().split(" ")
    return " ".join(word.zfill(9) if word.isdigit() else word for word in words)


@pytest.mark.parametrize("order", [UP, DOWN])
@pytest.mark.parametrize("column", range(len(CLUSTER_COLUMNS)), ids=KEYS)
def test_rows_are_sorted_as_pandas_does(
    model: ClusterModel, many: ClusterSet, column: int, order: Qt.SortOrder
) -> None:
    key = KEYS[column]
    if key == "stands":
        n = np.arange(len(many))
        known = {"stands": n % 22, "stands_of": np.full(n.size, 21)}
        many = replace(many, survival=known)
    model.show(many)
    model.sort(column, order)
    tables = (many.table, many.extents, many.effects, many.corrected)
    table = next(one for one in tables if key in one)
    expected = table.sort_values(
        key,
        ascending=order == UP,
        kind="stable",
        na_position="last",
        # Numbers in names count as numbers.
        key=lambda x: x.map(numbered) if key == "name" else x,
    )
    assert len(many) > 300
    assert labels(model) == expected.label.tolist()
    assert 0 < many.table.peak_p.isna().sum() < 20


def test_other_clusters_are_sorted_and_filtered_as_those_before(
    model: ClusterModel, many: ClusterSet
) -> None:
    model.sort(KEYS.index("n_voxels"), DOWN)
    model.filter("cluster")
    model.show(many)
    kept = many.table[~many.table.label.isin([3, 9, 200])]
    kept = kept.sort_values("n_voxels", ascending=False, kind="stable")
    assert labels(model) == kept.label.tolist()


def test_a_row_is_kept_when_all_words_are_in_it(
    model: ClusterModel, many: ClusterSet
) -> None:
    model.show(many)
    everything = labels(model)
    for words, kept in (
        ("INSULA", [3]),
        ("incerta zona", [200]),
        ("insula amygdala", []),
        ("cluster clust3r", []),
        ("  ", everything),
    ):
        model.filter(words)
        assert labels(model) == kept, words
    # Only columns that are looked at count.
    place = f"{many.table.center_x[40]:.1f}"
    model.filter(place)
    assert 41 in labels(model)
    assert 0 < model.rowCount() < len(many) / 2
    model.filter(place, [LABEL, NAME_COLUMN, X])
    assert 41 not in labels(model)
    model.filter("insula", [LABEL, NAME_COLUMN, X])
    assert labels(model) == [3]


@pytest.mark.parametrize("order", [UP, DOWN])
@pytest.mark.parametrize("key", ["label", "peak_value", "name", "n_voxels"])
def test_what_is_significant_comes_first_and_the_others_can_be_folded_away(
    model: ClusterModel, tested: ClusterSet, key: str, order: Qt.SortOrder
) -> None:
    model.show(tested)
    model.sort(KEYS.index(key), order)
    table = tested.table
    yes = table.label[table.significant.astype(bool)].tolist()
    no = table.label[~table.significant.astype(bool)].tolist()
    everything = labels(model)
    assert set(everything[: len(yes)]) == set(yes)
    assert set(everything[len(yes) :]) == set(no)
    column = table.set_index("label", drop=False)[key]
    for part in (everything[: len(yes)], everything[len(yes) :]):
        values = column[part]
        if key == "name":
            values = values.map(numbered)
        assert values.is_monotonic_increasing or order == DOWN
        assert values.is_monotonic_decreasing or order == UP
    assert model.n_others == len(no) == 7
    model.show_others(False)
    assert labels(model) == everything[: len(yes)]
    assert model.n_others == 7
    assert [model.is_folded(label) for label in (yes[0], no[0])] == [False, True]
    # Of the folded ones, those that the filter lets through are counted.
    model.filter("cluster 1", [NAME_COLUMN])
    names = table.name.str.contains("cluster") & table.name.str.contains("1")
    assert model.n_others == (names & ~table.significant.astype(bool)).sum() > 0
    model.filter("")
    model.show_others(True)
    assert labels(model) == everything


def test_clusters_that_were_not_tested_themselves_are_never_folded(
    model: ClusterModel, many: ClusterSet
) -> None:
    model.show_others(False)
    model.show(many)
    assert model.rowCount() == len(many)
    assert model.n_others == 0
    assert not model.is_folded(1)


def test_a_hidden_cluster_has_no_row(model: ClusterModel, many: ClusterSet) -> None:
    model.show(many)
    model.filter("insula")
    assert model.index_of(3) == model.index(0, 0)
    assert not model.index_of(4).isValid()
    model.filter("")
    model.sort(X, DOWN)
    for label in (1, 4, len(many)):
        assert model.label_of(model.index_of(label)) == label
    for label in (0, len(many) + 1):
        assert not model.index_of(label).isValid()


# --- cells ------------------------------------------------------------------------


def test_the_cells_of_a_cluster_and_of_its_sub_peak(
    model: ClusterModel, few: ClusterSet
) -> None:
    model.show(few)
    cluster = model.index(0, 0)
    sub_peak = model.index(0, X, cluster)
    of_both = {"peak_x": "-30", "peak_y": "-70"}
    assert cells(model, cluster) == of_both | {
        **{"label": "1", "name": "cluster 1", "n_voxels": "6", "volume_mm3": "48,000"},
        **{"peak_z": "-40", "peak_value": "5.000", "peak_p": "2.87e-07"},
        **{"borderline": "no", "peak_logp": "6.54"},
        **{"mean_value": "2.167", "center_x": "-30.0", "center_y": "-70.0"},
        **{"center_z": "1.5", "sign": "1"},
        **{"inner_x": "-30", "inner_y": "-70", "inner_z": "0"},
        **{"box_x_min": "-30", "box_x_max": "-30", "box_y_min": "-70"},
        **{"box_y_max": "-70", "box_z_min": "-40", "box_z_max": "60"},
    }
    assert cells(model, sub_peak) == of_both | {
        **{"label": "1a", "peak_z": "40", "peak_value": "4.000"},
        **{"peak_p": "3.17e-05", "peak_logp": "4.50"},
    }
    assert model.data(sub_peak, ROLE.DisplayRole) == "-30"
    assert model.rowCount(model.index(1, 0)) == 0


def test_significance_in_words(model: ClusterModel, tested: ClusterSet) -> None:
    model.show(tested)
    words = [text(model, model.index(n, 0), "significant") for n in range(len(tested))]
    assert words == ["yes" if yes else "no" for yes in tested.surviving]
    assert set(words) == {"yes", "no"}
    # The smallest p is no more than a bound: none or one iteration was as large.
    written = [text(model, model.index(n, 0), "cluster_p") for n in range(len(tested))]
    at_floor = np.isclose(tested.cluster_p, 1 / 1000)
    assert at_floor.any()
    assert [p.startswith("<= .001") for p in written] == at_floor.tolist()
    assert all(
        p[0] == "." for p, least in zip(written, at_floor, strict=True) if not least
    )


def test_headers_name_the_value_by_its_kind(
    model: ClusterModel, few: ClusterSet, sample_path: Path
) -> None:
    def header(role: Any = ROLE.DisplayRole) -> list[Any]:
        sections = range(len(CLUSTER_COLUMNS))
        return [model.headerData(n, Qt.Orientation.Horizontal, role) for n in sections]

    assert header() == [column.title for column in CLUSTER_COLUMNS]
    model.show(few)
    assert "Peak z" in header()
    assert len(set(header())) == len(CLUSTER_COLUMNS)
    model.show(find_clusters(open_results(sample_path)["logp"], p=0.001))
    assert {"Peak logp", "Mean logp"} < set(header())
    told = dict(zip(CLUSTER_COLUMNS, header(ROLE.ToolTipRole), strict=True))
    tdp = next(column for column in told if column.key == "tdp_percent")
    assert all(told[column] == column.about for column in told if column is not tdp)
    words = told[tdp].removeprefix("<p>").removesuffix("</p>").replace("</p><p>", " ")
    assert words.startswith(f"{tdp.about} With 95 % confidence")
    assert "228,483 voxels" in told[tdp]
    assert model.headerData(0, Qt.Orientation.Vertical) is None


def test_numbers_are_aligned_and_words_are_not(
    model: ClusterModel, few: ClusterSet
) -> None:
    model.show(few)
    for n, column in enumerate(CLUSTER_COLUMNS):
        alignment = model.data(model.index(0, n), ROLE.TextAlignmentRole)
        right = alignment is not None and bool(alignment & Qt.AlignmentFlag.AlignRight)
        assert right == (column.style != ""), column.key


def test_clusters_have_the_colors_of_their_labels(
    model: ClusterModel, many: ClusterSet, rng: np.random.Generator
) -> None:
    def colors() -> dict[int, list[float]]:
        found = {}
        for n in range(model.rowCount()):
            index = model.index(n, LABEL)
            color = model.data(index, ROLE.DecorationRole)
            if color is not None:
                found[model.label_of(index)] = list(color.getRgbF())
        return found

    first, second = rng.random((len(many) + 1, 4)), rng.random((51, 4))
    model.show(many, first)
    model.sort(X, DOWN)
    assert list(colors()) == labels(model)
    for label, color in colors().items():
        assert color == pytest.approx(first[label], abs=1e-4)
    changed: list[Any] = []
    model.dataChanged.connect(lambda *what: changed.append(what))
    model.color(second)
    # A label without a color has none.
    assert sorted(colors()) == list(range(1, 51))
    assert colors()[7] == pytest.approx(second[7], abs=1e-4)
    ((top, bottom, roles),) = changed
    assert (top.row(), bottom.row()) == (0, len(many) - 1)
    assert [ROLE(role) for role in roles] == [ROLE.DecorationRole]


def test_only_the_label_of_a_cluster_is_colored(
    model: ClusterModel, few: ClusterSet
) -> None:
    model.show(few, np.ones((3, 4)))
    cluster = model.index(0, LABEL)
    assert model.data(cluster, ROLE.DecorationRole) is not None
    assert model.data(model.index(0, NAME_COLUMN), ROLE.DecorationRole) is None
    assert model.data(model.index(0, LABEL, cluster), ROLE.DecorationRole) is None


# --- names ------------------------------------------------------------------------


def test_a_new_name_is_asked_for_and_not_taken(
    model: ClusterModel, many: ClusterSet
) -> None:
    asked: list[tuple[int, str]] = []
    model.renamed.connect(lambda label, name: asked.append((label, name)))
    model.show(many)
    model.sort(X, DOWN)
    label = labels(model)[30]
    assert model.setData(model.index(30, NAME_COLUMN), "Putamen")
    assert asked == [(label, "Putamen")]
    # Who owns the clusters gives the name.
    assert text(model, model.index(30, 0), "name") == f"cluster {label}"
    model.show(many.renamed(label, "Putamen"))
    assert text(model, model.index(30, 0), "name") == "Putamen"


def test_an_editor_that_is_left_without_a_change_renames_nothing(
    model: ClusterModel, few: ClusterSet
) -> None:
    asked: list[Any] = []
    model.renamed.connect(lambda *what: asked.append(what))
    model.show(replace(few))
    name = model.data(model.index(1, NAME_COLUMN), ROLE.EditRole)
    assert name == "cluster 2"
    assert model.setData(model.index(1, NAME_COLUMN), name)
    assert asked == []
    # An empty name gives the number back.
    model.setData(model.index(1, NAME_COLUMN), "")
    assert asked == [(2, "")]


def test_only_names_of_clusters_can_be_edited(
    model: ClusterModel, few: ClusterSet
) -> None:
    asked: list[Any] = []
    model.renamed.connect(lambda *what: asked.append(what))
    model.show(few)
    cluster = model.index(0, 0)
    cells = [(0, n, QModelIndex()) for n in range(len(CLUSTER_COLUMNS))]
    cells += [(0, n, cluster) for n in range(len(CLUSTER_COLUMNS))]
    for row, column, parent in cells:
        index = model.index(row, column, parent)
        editable = bool(model.flags(index) & Qt.ItemFlag.ItemIsEditable)
        assert editable == (column == NAME_COLUMN and not parent.isValid())
        if not editable:
            assert not model.setData(index, "other")
    assert not model.setData(model.index(0, NAME_COLUMN), "other", ROLE.DisplayRole)
    assert asked == []


@pytest.mark.parametrize("name", ["z", "logp", VOXEL, MASS])
def test_who_and_where_and_how_sure_and_how_large_are_seen_at_first(
    qtbot: Any, sample: ResultSet, name: str
) -> None:
    view = ClusterView(ClusterModel())
    qtbot.addWidget(view)
    # In a panel as wide as it opens, with a bar beside it.
    view.resize(389 + view.width() - view.viewport().width(), 200)
    view.show()
    clusters = find_clusters(sample[name], p=0.05 if name in (VOXEL, MASS) else 0.001)
    view.rows.show(clusters)
    view.fit_columns()
    seen = [
        view.rows.title(column)
        for column in view.shown_columns()
        if view.columnViewportPosition(column) + view.columnWidth(column)
        <= view.viewport().width()
    ]
    # z, y and x of the peak stand between them.
    p = "p" if name in ("z", "logp") else "p_FWE"
    kind = "logp" if name == "logp" else "z"
    wanted = ["#", "Name", "x", "y", "z", f"Peak {kind}", p, "k"]
    assert seen[: len(wanted)] == wanted


def test_names_give_way_to_what_has_to_be_in_sight(
    qtbot: Any, sample: ResultSet
) -> None:
    view = ClusterView(ClusterModel())
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    view.rows.show(api.find_clusters(sample["z"], p=0.001))
    view.fit_columns()
    widest = view.columnWidth(NAME_COLUMN)
    seen, last = view.shown_columns(), KEYS.index("tdp_percent")
    needed = sum(map(view.columnWidth, seen[: 1 + seen.index(last)]))
    # The window is made narrower after the table was filled.
    around = view.width() - view.viewport().width()
    view.resize(needed - 20 + around, 600)
    assert view.columnWidth(NAME_COLUMN) == widest - 20
    end = view.columnViewportPosition(last) + view.columnWidth(last)
    assert end == view.viewport().width()
    # With more room than all columns need, names are whole again.
    view.resize(900, 600)
    assert view.columnWidth(NAME_COLUMN) == widest


@pytest.mark.parametrize("first", [0.001, 1e-7])
def test_numbers_are_not_cut_when_a_threshold_moves(
    qtbot: Any, sample: ResultSet, first: float
) -> None:
    view = ClusterView(ClusterModel())
    qtbot.addWidget(view)
    view.show()
    view.rows.show(find_clusters(sample["z"], p=first, min_voxels=10))
    view.fit_columns()
    for p in (0.05, 1e-7):
        view.rows.show(find_clusters(sample["z"], p=p, min_voxels=10))
        view.fit_longer()
        for index in view.shown_columns():
            if index != NAME_COLUMN:
                assert view.columnWidth(index) >= view.sizeHintForColumn(index)


@pytest.mark.parametrize("name", [FDR, BONFERRONI])
def test_a_corrected_map_shows_its_own_column(
    qtbot: Any, opened: Opened, rng: np.random.Generator, name: str
) -> None:
    maps = corrected_test("two", name, rng)
    results = opened(maps)
    view = ClusterView(ClusterModel())
    qtbot.addWidget(view)
    column = CORRECTIONS[name][1]
    own = {"peak_q": KEYS.index("peak_q"), "peak_p_fwe": KEYS.index("peak_p_fwe")}

    def hidden(clusters: ClusterSet) -> set[str]:
        view.rows.show(clusters)
        view.fit_columns()
        return {key for key, index in own.items() if view.isColumnHidden(index)}

    corrected = find_clusters(results[f"z_{name}"], p=0.05)
    assert hidden(find_clusters(results["z"], p=0.001)) == set(own)
    assert hidden(corrected) == set(own) - {column}
    rows = [view.rows.index(n, 0) for n in range(len(corrected))]
    q = maps[f"p_{name}"]
    for index, peak in zip(rows, corrected.peak_voxels, strict=True):
        told = float(text(view.rows, index, column))
        assert told == pytest.approx(q[peak], rel=5e-3)
        p = float(text(view.rows, index, "peak_p"))
        assert p == pytest.approx(maps["p"][peak], rel=5e-3)
    shown = 0
    for index in rows:
        for n in range(view.rows.rowCount(index)):
            sub_peak = view.rows.index(n, own[column], index)
            assert float(view.rows.data(sub_peak, ROLE.DisplayRole)) <= 0.05
            shown += 1
    assert shown == len(corrected.peaks) - len(corrected) > 0
    assert hidden(find_clusters(results["z"], p=0.001)) == set(own)
