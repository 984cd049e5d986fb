"""Tables for papers: the same rows in three languages, and nothing but rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_neurosynth_results as nnr
from helpers.corrected_maps import FDR, corrected_test
from helpers.readers_of_text import (
    latex_rows,
    latex_to_text,
    markdown_rows,
    markdown_to_text,
)
from napari_neurosynth_results import ClusterSet, ResultSet
from napari_neurosynth_results.api.studies import leave_out_each
from napari_neurosynth_results.export.escaping import plain_text
from napari_neurosynth_results.export.tables.paper import (
    as_html,
    as_latex,
    as_markdown,
    format_p,
    format_value,
    paper_table,
)
from napari_neurosynth_results.statistics.p_values.monte_carlo import NullDistribution

Opened = Callable[..., ResultSet]
MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
NASTY = (
    '<script>alert("x")</script>',
    r"\input{/etc/passwd} & \end{tabular} % #1 $x_1$ ~ ^",
    "a | b || c \\| d",
    "=cmd()|' /C calc'!A0",
    "--> <img src=x onerror=y>",
    "two\nlines\r\nthree\x00",
    "[text](javascript:x) *bold* `code` <b>",
    "x" * 5000,
)


@pytest.fixture(scope="module")
def clusters(sample_path: Path) -> ClusterSet:
    results = nnr.open_results(sample_path)
    return nnr.find_clusters(results["z"], p=0.001, min_voxels=100)


class Page(HTMLParser):
    """Reads the rows of a page's table, and which tags there are."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.caption = ""
        self._in = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin a row or a cell."""
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self._in = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        self._in = ""

    def handle_data(self, data: str) -> None:
        """Fill the cell."""
        if self._in in ("td", "th"):
            self.rows[-1][-1] += data
        elif self._in == "caption":
            self.caption += data


def written(clusters: ClusterSet, folder: Path, name: str) -> str:
    nnr.save_clusters(clusters, folder / name)
    return (folder / name).read_text(encoding="utf-8")


def test_the_columns_are_those_that_papers_ask_for(clusters: ClusterSet) -> None:
    table = paper_table(clusters)
    assert table.columns[:8] == (
        *("Region", "Side", "x", "y", "z", "Voxels", "mm³", "Peak z"),
    )
    assert table.columns[8:] == (
        *("p (FWE, cluster mass)", "p (FWE, cluster size)"),
        *("p (FWE, peak)", "q (FDR, peak)", "TDP"),
    )
    first, second = table.lines[:2]
    assert first.cells[:8] == (
        *("Insula", "R", "38", "4", "2", "805", "6,440", "6.73"),
    )
    assert first.cells[8:] == ("≤ .001", "≤ .001", "≤ .001", "< .001", "≥ 32 %")
    assert second.is_sub_peak
    assert second.cells[-1] == "", "a peak has no extent"
    assert second.cells[:8] == ("Insula", "R", "38", "14", "−6", "", "", "5.74")  # noqa: RUF001
    assert sum(not line.is_sub_peak for line in table.lines) == len(clusters)
    assert len(table.lines) == len(clusters.peaks)


def test_the_caption_is_the_threshold_with_atlas_and_space(
    clusters: ClusterSet,
) -> None:
    caption = paper_table(clusters).caption
    assert "z ≥ 3.09 (p ≤ .001, one-tailed), extent ≥ 100 voxels" in caption
    assert "Regions: Desikan-Killiany with cerebellum (Desikan et al. 2006" in caption
    assert "Coordinates x, y, z in mm, MNI152 space." in caption
    assert "not significant" not in caption


def test_only_significant_clusters_of_a_corrected_map_are_printed(
    sample_path: Path,
) -> None:
    found = nnr.find_clusters(nnr.open_results(sample_path)[MASS])
    table = paper_table(found)
    assert table.columns[-2:] == ("p (FWE, cluster)", "TDP")
    peaks = [line for line in table.lines if not line.is_sub_peak]
    assert len(peaks) == found.surviving.sum() < len(found)
    left_out = len(found) - len(peaks)
    assert (
        f"{left_out} clusters that are not significant are left out." in table.caption
    )
    assert peaks[0].cells[-2:] == ("≤ .001", "≥ 32 %")
    assert "TDP (true discovery proportion): at least this share" in table.caption


def test_without_corrections_p_is_the_uncorrected_one(opened: Opened) -> None:
    z = np.zeros((8, 9, 8))
    z[5, 4, 4], z[2, 4, 4] = 4.0, -3.456
    found = nnr.find_clusters(opened({"zmap_z": z})["zmap_z"], value=3, atlas=None)
    table = paper_table(found)
    assert table.columns[0] == "Cluster"
    assert table.columns[-1] == "p (uncorrected)"
    assert [line.cells for line in table.lines] == [
        ("Cluster 1", "R", "30", "−30", "20", "1", "8,000", "4.00", "< .001"),  # noqa: RUF001
        ("Cluster 2", "L", "−30", "−30", "20", "1", "8,000", "−3.46", "< .001"),  # noqa: RUF001
    ]
    assert "Regions" not in table.caption


def test_what_is_not_in_mni_space_does_not_claim_to_be(opened: Opened) -> None:
    z = np.zeros((8, 9, 8))
    z[4, 4, 4] = 5
    results = opened({"z": z}, affine=np.diag([0.1, 0.1, 0.1, 1]))
    caption = paper_table(nnr.find_clusters(results["z"], value=3)).caption
    assert "the space of the map, which is not MNI152" in caption


def test_three_languages_say_the_same(clusters: ClusterSet, tmp_path: Path) -> None:
    table = paper_table(clusters)
    rows = [list(table.columns), *(list(line.cells) for line in table.lines)]
    latex = written(clusters, tmp_path, "t.tex")
    assert latex_rows(latex) == rows
    assert r"\begin{tabular}{llrrrrrrrrrrr}" in latex
    assert latex.count(r"\quad ") == sum(line.is_sub_peak for line in table.lines)
    assert markdown_rows(written(clusters, tmp_path, "t.md")) == rows
    page = Page(written(clusters, tmp_path, "t.html"))
    assert page.rows == rows
    assert page.caption == table.caption


def test_a_table_without_clusters_is_a_table(sample_path: Path, tmp_path: Path) -> None:
    none = nnr.find_clusters(nnr.open_results(sample_path)["z"], value=90)
    heading = list(paper_table(none).columns)
    assert latex_rows(written(none, tmp_path, "t.tex")) == [heading]
    assert markdown_rows(written(none, tmp_path, "t.md")) == [heading]
    assert Page(written(none, tmp_path, "t.html")).rows == [heading]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NASTY) | st.text(min_size=1), st.sampled_from(NASTY) | st.text())
def test_no_name_gets_out_of_its_cell(
    clusters: ClusterSet, name: str, origin: str
) -> None:
    table = paper_table(clusters.renamed(1, name))
    n = len(table.columns)
    rows = [list(table.columns), *(list(line.cells) for line in table.lines)]
    latex = as_latex(table, origin)
    assert latex_rows(latex) == rows
    assert latex.count("\\end{tabular}") == 1 + origin.count("\\end{tabular}")
    caption = latex.split("\\caption{", 1)[1].split("}\n", 1)[0]
    assert latex_to_text(caption) == table.caption
    comments = [line for line in latex.splitlines() if line.startswith("%")]
    assert len(comments) == 2
    markdown = as_markdown(table, origin)
    assert markdown_rows(markdown) == rows
    assert markdown.count("-->") == markdown.count("<!--") == 1
    told = markdown.split("**Table.** ", 1)[1].split("\n", 1)[0]
    assert markdown_to_text(told) == table.caption
    page = Page(as_html(table, origin))
    assert [[plain_text(cell) for cell in row] for row in page.rows] == rows
    assert not page.tags & {"script", "img", "b", "a", "iframe", "svg"}
    assert {len(row) for row in page.rows} == {n}


def test_a_name_that_was_given_stands_before_the_region(clusters: ClusterSet) -> None:
    table = paper_table(clusters.renamed(1, "pain <network>"))
    assert table.lines[0].cells[0] == "pain <network> (Insula)"
    assert table.lines[1].cells[0] == "Insula"


@pytest.mark.parametrize(
    ("p", "iterations", "text"),
    [
        (0.05, None, "= .050"),
        (0.0123, None, "= .012"),
        (0.001, None, "= .001"),
        (float(np.float32(0.001)), 1000, "≤ .001"),
        (0.00099, None, "< .001"),
        (0.0001, 10_000, "< .001"),
        (0.005, 200, "≤ .005"),
        (0.01, 200, "= .010"),
        (0.995, 200, "≥ .995"),
        (0.99, 200, "= .990"),
        (0.0, 200, "< .001"),
        (0.9996, None, "> .999"),
        (1.0, None, "= 1"),
        (math.nan, 200, ""),
    ],
)
def test_p_is_written_as_it_should_be(
    p: float, iterations: int | None, text: str
) -> None:
    null = NullDistribution(iterations) if iterations else None
    assert format_p(p, null) == text


def test_values_have_the_decimals_of_their_kind() -> None:
    assert format_value(-3.456, nnr.MapKind.T) == "−3.46"  # noqa: RUF001
    assert format_value(2e-5, nnr.MapKind.P) == "2e−05"  # noqa: RUF001
    assert format_value(math.nan, nnr.MapKind.Z) == ""


def test_a_corrected_map_prints_the_value_of_its_test_and_its_own_p(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = corrected_test("two", FDR, rng)
    found = nnr.find_clusters(opened(maps)[f"z_{FDR}"], p=0.05, atlas=None)
    table = paper_table(found)
    assert table.columns[-3:] == ("Peak z", "q (FDR, peak)", "TDP")
    assert "(q ≤ .05, Benjamini-Hochberg, converted two-tailed)" in table.caption
    peaks = tuple(found.labelled.peak_voxel.T)
    for line, z, q in zip(
        table.lines, maps["z"][peaks], maps[f"p_{FDR}"][peaks], strict=True
    ):
        assert line.cells[-3] == f"{z:.2f}".replace("-", "\N{MINUS SIGN}")
        # The heading says that it is q.
        assert line.cells[-2] == format_p(float(q)).removeprefix("= ")
    assert any(line.is_sub_peak for line in table.lines)


def test_an_unknown_test_is_said_in_the_caption(
    opened: Opened, rng: np.random.Generator
) -> None:
    maps = corrected_test("two", FDR, rng)
    stem = f"z_{FDR}"
    table = paper_table(nnr.find_clusters(opened({stem: maps[stem]})[stem], p=0.05))
    assert "the uncorrected map of its test is not at hand" in table.caption
    assert {line.cells[-2] for line in table.lines} == {""}


def test_the_statistic_has_its_degrees_of_freedom(opened: Opened) -> None:
    values = np.zeros((8, 9, 8))
    values[4, 4, 4] = 9.0
    for dof, heading in ((18, "Peak t(18)"), (7.5, "Peak t(7.5)")):
        found = nnr.find_clusters(opened({"t": values})["t"], p=0.001, dof=dof)
        assert paper_table(found).columns[7] == heading
        assert f"{dof} degrees of freedom" in paper_table(found).caption


def test_in_how_many_re_estimations_a_cluster_stands_is_a_column(
    clusters: ClusterSet,
) -> None:
    results = nnr.open_results(clusters.statmap.results.source)
    again = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    table = paper_table(leave_out_each(results, again).add_to(again))
    assert table.columns[-1] == "Stands in (of 21)"
    main = [line.cells[-1] for line in table.lines if not line.is_sub_peak]
    assert main[:9] == ["21", "21", "21", "21", "21", "21", "20", "19", "19"]
    assert {line.cells[-1] for line in table.lines if line.is_sub_peak} == {""}
    assert "of 21 re-estimations of the meta-analysis" in table.caption
    assert "no test" in table.caption
    assert "Stands in" not in paper_table(again).caption
