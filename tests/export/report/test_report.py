"""The report: what is in it, and what can never be."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import napari_neurosynth_results as nnr
from napari_neurosynth_results.api.report import build_sections, first_clusters
from napari_neurosynth_results.export.report.report import report_html
from napari_neurosynth_results.export.tables.paper import typeset
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sample import sample_folder

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"
_VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Collects the tags of a page, and checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the one that is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all tags of a name."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def results() -> ResultSet:
    """Return the packaged sample."""
    return nnr.open_results(sample_folder())


@pytest.fixture(scope="module")
def text(results: ResultSet) -> str:
    """Return the report of the sample."""
    return report_html(results, build_sections(results, first_clusters(results)))


@pytest.mark.slow
def test_it_says_what_there_is(results: ResultSet, text: str) -> None:
    page = Page(text)
    told = " ".join(" ".join(page.texts).split())
    for statmap in results.maps.values():
        assert statmap.title in told
    clusters = first_clusters(results)
    assert [one.statmap.key for one in clusters] == [MASS, "z"]
    for one in clusters:
        assert typeset(str(one)) in told
    assert "Insula" in told
    assert "14 of 21 experiments, 26 foci, 243 participants" in told
    assert "Desikan-Killiany with cerebellum" in told
    # Of 13 clusters the table has the 6 significant ones, the studies have all.
    assert "Behind those that are not significant:" in told
    assert "numbered as above; in gray those that are not significant." in told
    assert "(Turkeltaub et al., 2002" in told
    assert "\\cite" not in told
    assert "https://doi.org/10.52294/001c.87681" in told
    assert nnr.__version__ in told


def test_what_was_found_comes_first_and_how_comes_last(
    results: ResultSet, text: str
) -> None:
    first, second = (typeset(str(one)) for one in first_clusters(results))
    told = " ".join(" ".join(Page(text).texts).split())
    expected = [
        "pain-ale",
        f": {first}",
        f": {second}",
        # Of each map: the sentence, where, a picture, clusters, studies.
        f" {first}",
        "Insula R (38, 4, 2); Supramarginal R",
        "Axial slices.",
        "The clusters and their peaks.",
        "Studies behind the clusters",
        "Behind those that are not significant:",
        "Not significant, or borderline",
        "Sagittal, coronal and axial slices through the peak.",
        "Maximum projection from three sides.",
        f" {second}",
        "Axial slices.",
        "Studies behind the clusters",
        "Maps of the result, and what their numbers mean.",
        "How the clusters above were found.",
        "An activation likelihood estimation (ALE) meta-analysis",
        "References",
        nnr.__version__,
    ]
    at = 0
    for one in expected:
        at = told.index(one, at) + len(one)
    # The one picture that a reader sees before turning a page.
    assert text.index("<img") < text.index("The clusters and their peaks.")


@pytest.mark.slow
def test_clusters_have_one_number_in_table_list_and_heat_map(
    results: ResultSet, text: str
) -> None:
    clusters = first_clusters(results)[0]
    page = Page(
        text[text.index("<main>") : text.index('<section aria-labelledby="map-2"')]
        + "</main>"
    )
    numbers = [int(one["value"] or 0) for one in page.all("li") if "value" in one]
    kept = [n + 1 for n, counts in enumerate(clusters.surviving) if counts]
    others = [n + 1 for n, counts in enumerate(clusters.surviving) if not counts]
    assert numbers == kept + others
    heads = [one for one in page.all("th") if "title" in one]
    # One heat map of foci, and one of shares.
    assert [one["title"] for one in heads] == clusters.names * 2
    weak = ["weak" in (one["class"] or "") for one in heads]
    assert weak == (~clusters.surviving).tolist() * 2


@pytest.mark.slow
def test_a_map_whose_clusters_are_not_significant_says_so(
    results: ResultSet,
) -> None:
    found = nnr.find_clusters(results[MASS], p=1e-9)
    assert len(found)
    assert not found.surviving.any()
    text = report_html(results, build_sections(results, [found], studies=False))
    assert "No cluster is significant." in text


@pytest.mark.slow
def test_borderline_is_said_in_words_before_the_table(results: ResultSet) -> None:
    found = nnr.find_clusters(results[MASS], p=0.01)
    borderline = found.table.name[found.table.borderline]
    assert list(borderline) == ["Supramarginal L"]
    [told] = [one for one in found.notices if one.startswith("Borderline: ")]
    assert "Supramarginal L. Counted in 1,000 iterations" in told
    text = report_html(results, build_sections(results, [found], studies=False))
    assert text.index(told) < text.index("The clusters and their peaks.")


@pytest.mark.slow
def test_it_names_the_clusters_that_are_not_significant(
    results: ResultSet, text: str
) -> None:
    page = Page(text)
    told = [" ".join(one.split()) for one in page.texts]
    table = first_clusters(results)[0].table
    doubtful = table[~table.significant | table.borderline]
    assert len(doubtful) > 5
    for row in doubtful.itertuples():
        place = ", ".join(
            f"{mm:g}".replace("-", "\N{MINUS SIGN}")
            for mm in (row.peak_x, row.peak_y, row.peak_z)
        )
        [line] = [one for one in told if one.startswith(f"{row.name} ({place}): p_FWE")]
        assert ("not significant" in line) is not row.significant
        assert line.endswith(", borderline") is row.borderline
        assert f"interval {row.cluster_p_low:.2g} to {row.cluster_p_high:.2g}" in line
    everything = " ".join(told)
    assert "7 clusters that are not significant are left out" in everything
    assert "further peaks of the same cluster, more than 8 mm apart" in everything
    # NiMARE's own text is wrong there.
    assert "share a face (6 neighbors): correct this" in everything


def test_nothing_is_asked_from_anywhere_and_nothing_runs(text: str) -> None:
    page = Page(text)
    assert page.all("script") == []
    assert page.all("link") == []
    assert page.all("iframe") == []
    for image in page.all("img"):
        assert image["src"].startswith("data:image/png;base64,")
    [policy] = [
        one
        for one in page.all("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy["content"].startswith("default-src 'none'")
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
    for link in page.all("a"):
        assert link["href"].startswith(("https://", "http://", "#"))
    assert len(text) < 5_000_000


def test_pictures_can_be_seen_and_are_told_to_those_who_cannot(text: str) -> None:
    images = Page(text).all("img")
    assert len(images) == 6
    for image in images:
        data = base64.b64decode(image["src"].split(",", 1)[1])
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (int(image["width"]), int(image["height"]))
        assert np.asarray(picture.convert("L")).std() > 5
        assert len(image["alt"]) > 40


def test_ids_are_found_and_tables_have_heads(text: str) -> None:
    page = Page(text)
    ids = [attributes.get("id") for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        if link["href"].startswith("#"):
            assert link["href"][1:] in ids
    assert len(page.all("caption")) == len(page.all("table")) == 8
    assert all(one.get("scope") in ("col", "row") for one in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"


@pytest.mark.slow
def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    folder = tmp_path / "pain <b>&"
    shutil.copytree(sample_folder(), folder)
    path = folder / "studyset.json"
    studyset = json.loads(path.read_text(encoding="utf-8"))
    for study in studyset["studies"]:
        study["name"] = EVIL + study["name"]
        study["doi"] = 'javascript:alert(1)//10.1000/x"onclick=alert(3)'
    path.write_text(json.dumps(studyset), encoding="utf-8")
    text = (folder / "boilerplate.txt").read_text(encoding="utf-8")
    (folder / "boilerplate.txt").write_text(f"{text} {EVIL}", encoding="utf-8")
    results = nnr.open_results(folder)
    [clusters, _] = first_clusters(results)
    clusters = clusters.renamed(1, EVIL)
    page = Page(report_html(results, build_sections(results, [clusters])))
    assert page.all("script") == []
    assert len(page.all("img")) == 3
    assert page.all("b") == []
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
    for link in page.all("a"):
        assert link["href"].startswith(("https://doi.org/10.", "https://", "#"))
    assert any("<script>alert(1)</script>" in told for told in page.texts)


@pytest.mark.slow
def test_a_comparison_is_reported_too(results: ResultSet) -> None:
    comparison = nnr.compare_maps(results["z"], results["logp"])
    text = report_html(results, [], comparison=comparison)
    page = Page(text)
    told = " ".join(" ".join(page.texts).split())
    assert typeset(str(comparison)) in told
    assert len(page.all("img")) == 1
    assert f"{comparison.dice:,.6g}" in told


def test_a_map_without_clusters_says_so(results: ResultSet) -> None:
    nothing = nnr.find_clusters(results["z"], value=100)
    page = Page(report_html(results, build_sections(results, [nothing], studies=False)))
    assert page.all("img") == []
    assert any("No cluster." in told for told in page.texts)


def test_it_is_one_file_that_is_never_replaced_silently(
    results: ResultSet, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    steps: list[tuple[str, int, int | None]] = []
    clusters = [nnr.find_clusters(results["z"], value=100)]
    nnr.save_report(
        results, path, clusters=clusters, progress=lambda *step: steps.append(step)
    )
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert steps[0] == ("Report", 0, 1)
    with pytest.raises(nnr.ResultsError, match="exists already"):
        nnr.save_report(results, path, clusters=clusters)
    nnr.save_report(results, path, clusters=clusters, overwrite=True)
    with pytest.raises(nnr.ResultsError, match=r"saved as \.html"):
        nnr.save_report(results, tmp_path / "report.pdf", clusters=clusters)


def test_without_a_methods_text_the_report_says_so(
    opened: Callable[..., ResultSet],
) -> None:
    results = opened({"z": np.ones((8, 9, 8))})
    text = report_html(results, [])
    assert "has no methods text" in text


@pytest.mark.slow
def test_the_same_result_gives_the_same_report(results: ResultSet) -> None:
    clusters = [nnr.find_clusters(results["z"], p=0.001, min_voxels=100)]
    first, second = (
        report_html(results, build_sections(results, clusters)) for _ in range(2)
    )
    assert first == second


def test_without_jinja2_it_says_what_to_install(
    results: ResultSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(nnr.ResultsError, match=r"napari-neurosynth-results\[report\]"):
        report_html(results, [])


@pytest.mark.slow
def test_the_command_writes_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_neurosynth_results.cli import main

    out = tmp_path / "out"
    source = [sample_folder(), "--map", "z", "--out", str(out), "--no-studies"]
    assert main(["report", *source]) == 0
    assert "Wrote" in capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert names == {"report.html", "z_clusters.tsv", "z_clusters.json"}
    table = pd.read_csv(out / "z_clusters.tsv", sep="\t", comment="#")
    assert table.name[0] == "Insula R"
    assert main(["report", *source]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.slow
def test_it_says_how_firmly_clusters_stand(results: ResultSet) -> None:
    clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=10)
    sections = build_sections(results, [clusters], leave_one_out=True)
    page = Page(report_html(results, sections))
    told = " ".join(" ".join(page.texts).split())
    assert "Largest shares: pain_19.nidm 13 %, together with pain_13.nidm 25 %." in told
    assert "Stands in 20 of 21; not without pain_02.nidm." in told
    assert "Stands in (of 21)" in told
    assert "It is no test, and controls no error rate" in told
    assert "Share of the statistic (jackknife) of each study" in told
    assert "Foci of each study in each cluster" in told
    # What the table of a window knows is said without asking again.
    [section] = build_sections(results, [sections[0].clusters])
    assert section.contributors is not None
    assert section.contributors.left_out is not None
