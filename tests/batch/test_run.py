"""Many results asked in one go answer as they do one by one, whatever is among them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

import napari_neurosynth_results as nnr
from helpers.batches import blob, read, start
from local_servers import LocalServers
from napari_neurosynth_results.batch.inputs import list_sources
from napari_neurosynth_results.batch.local_workers import default_workers
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.tables.clusters import clusters_table
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.sources.web.servers import Servers

Write = Callable[..., Path]


@pytest.fixture
def three(write: Write) -> list[Path]:
    """Return three small results: one, two and no clusters."""
    two = blob() + np.flip(blob(7, 1), axis=0)
    return [
        write({"z": blob()}, name="one"),
        write({"z": two}, name="two"),
        write({"z": np.full_like(two, 0.1)}, name="none"),
    ]


# --- answers ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_batch_in_processes_answers_as_one_by_one(
    sample_path: Path, three: list[Path], tmp_path: Path
) -> None:
    sources = [three[1], sample_path, three[0]]
    done = nnr.run_batch(
        sources, tmp_path / "out", maps="z", p=0.001, min_voxels=5, workers=2
    )
    assert (done.failed, done.n_asked) == ([], 3)
    expected = []
    for source in sources:
        results = nnr.open_results(source)
        clusters = nnr.find_clusters(results["z"], p=0.001, min_voxels=5)
        table = clusters_table(clusters)
        table.insert(0, "source", str(source))
        table.insert(1, "title", results.title)
        table.insert(2, "map", "z")
        table["threshold"] = str(clusters.threshold)
        expected.append(table)
    written = tmp_path / "one-by-one.tsv"
    pd.concat(expected).to_csv(written, sep="\t", index=False)
    assert len(done.clusters) > 6
    pd.testing.assert_frame_equal(
        read(tmp_path / "out" / "clusters.tsv"), read(written)
    )
    assert [record.n_clusters for record in done.records] == [
        len(table) for table in expected
    ]


def test_studies_are_those_of_each_result(sample_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    nnr.run_batch([sample_path], out, maps="z", p=0.0001, studies=True, workers=0)
    results = nnr.open_results(sample_path)
    behind = nnr.contributors(results, nnr.find_clusters(results["z"], p=0.0001))
    table = read(out / "studies.tsv")
    assert set(table["map"]) == {"z"}
    first = table[table["label"] == "1"]
    assert first["experiment"].tolist() == behind.of(1)["experiment"].tolist()
    assert first["foci"].astype(int).tolist() == behind.of(1)["foci"].tolist()
    told = read(out / "summary.tsv").loc[0, "notices"]
    assert "counted here" in told
    # NiMARE's clusters are those at p < .001.
    assert "z: p_FWE by cluster mass is not stated for" in told


@pytest.mark.slow
def test_without_a_threshold_each_map_has_that_of_its_first_look(
    sample_path: Path, tmp_path: Path
) -> None:
    done = nnr.run_batch(
        sample_path, tmp_path / "out", maps=["z", "z_level-*"], workers=0
    )
    told = dict(zip(done.clusters["map"], done.clusters["threshold"], strict=True))
    assert told["z"] == "z >= 3.09 (p <= .001, one-tailed)"
    assert "(p_FWE <= .05," in told["z_level-voxel_corr-FWE_method-montecarlo"]
    assert set(done.records[0].maps) == set(told)
    first = nnr.run_batch(sample_path, tmp_path / "first", workers=0)
    assert first.records[0].maps == (next(iter(nnr.open_results(sample_path).maps)),)


@pytest.mark.slow
def test_rows_follow_the_list_whatever_ends_first(
    sample_path: Path, three: list[Path], tmp_path: Path
) -> None:
    order: list[str] = []
    sources = [sample_path, *three]
    done = nnr.run_batch(
        sources,
        tmp_path / "out",
        maps="z",
        p=0.001,
        workers=2,
        progress=lambda what, done, total: order.append(what),
    )
    # The sample has a thousand times the voxels: the small ones overtake it.
    assert order != [str(source) for source in sources]
    assert sorted(order) == sorted(map(str, sources))
    assert [record.source for record in done.records] == list(map(str, sources))
    assert done.clusters["source"].drop_duplicates().tolist() == list(
        map(str, sources[:3])
    )
    assert read(tmp_path / "out" / "summary.tsv")["n_clusters"].tolist()[1:] == [
        *("1", "2", "0")
    ]


@pytest.mark.slow
def test_one_bad_source_stops_no_other(
    write: Write, three: list[Path], tmp_path: Path
) -> None:
    damaged = write({"z": blob()}, name="damaged")
    content = bytearray((damaged / "z.nii.gz").read_bytes())
    content[-6] ^= 0xFF
    (damaged / "z.nii.gz").write_bytes(content)
    (tmp_path / "text.nii.gz").write_text("no image")
    (tmp_path / "empty").mkdir()
    other = write({"z": blob(), "stat": blob()}, name="other")
    sources = [
        *(damaged, tmp_path / "text.nii.gz", three[0], tmp_path / "empty"),
        *("nowhere at all", other),
    ]
    out = tmp_path / "out"
    done = nnr.run_batch(sources, out, maps=["z", "stat"], p=0.001, workers=1)
    assert [record.status for record in done.records] == [
        *("failed", "failed", "partly", "failed", "failed", "partly")
    ]
    assert done.clusters["title"].tolist() == ["one", "other"]
    failures = read(out / "failures.tsv")
    assert set(failures["source"]) == set(map(str, sources))
    by_map = failures[failures["source"] == str(other)]
    # A stat has no p: only that map fails.
    assert by_map["map"].tolist() == ["stat"]
    missing = failures[failures["source"] == str(three[0])]
    assert missing["sentence"].tolist() == ["There is no map stat. There are: z."]
    assert all(failures["sentence"].str.len() > 10)


@pytest.mark.slow
def test_a_source_that_ends_its_process_stops_no_other(
    three: list[Path], write: Write, tmp_path: Path
) -> None:
    killer = write({"z": blob()}, name="killer")
    code = """
import os, signal, sys
import napari_neurosynth_results as nnr
from napari_neurosynth_results.batch import one_source
opened = one_source.open_results
def deadly(source):
    if "killer" in source:
        os.kill(os.getpid(), signal.SIGKILL)
    return opened(source)
one_source.open_results = deadly
if __name__ == "__main__":
    nnr.run_batch(sys.argv[2:], sys.argv[1], p=0.001, workers=2)
"""
    sources = [three[0], killer, three[1], three[2]]
    running = start(code, tmp_path, str(tmp_path / "out"), *map(str, sources))
    _, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    summary = read(tmp_path / "out" / "summary.tsv")
    assert summary["status"].tolist() == ["done", "failed", "done", "done"]
    assert "more memory" in summary.loc[1, "sentence"]


# --- the folder -------------------------------------------------------------------


def test_what_is_done_is_kept_and_what_changed_is_asked_again(
    three: list[Path], write: Write, tmp_path: Path
) -> None:
    def run(**options: Any) -> nnr.BatchSummary:
        return nnr.run_batch(three, out, workers=0, **{"p": 0.001, **options})

    out = tmp_path / "out"
    assert run().n_asked == 3
    before = (out / "clusters.tsv").read_bytes()
    assert run().n_asked == 0
    assert (out / "clusters.tsv").read_bytes() == before
    shutil.copy(three[1] / "z.nii.gz", three[0] / "z.nii.gz")
    changed = run()
    assert changed.n_asked == 1
    assert [record.n_clusters for record in changed.records] == [2, 2, 0]
    with pytest.raises(ResultsError, match="another question"):
        run(p=0.01)
    assert run(p=0.01, resume=False).n_asked == 3


def test_asking_anew_forgets_answers_to_the_other_question(
    three: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    nnr.run_batch(three, out, p=0.001, workers=0)
    nnr.run_batch(three[:1], out, value=5.5, workers=0, resume=False)
    # The second was answered at another threshold.
    done = nnr.run_batch(three, out, value=5.5, workers=0)
    assert done.n_asked == 2
    assert set(done.clusters["threshold"].str[:8]) == {"z >= 5.5"}


def test_a_folder_of_others_is_left_alone(three: list[Path], tmp_path: Path) -> None:
    for taken in (three[0], three[0] / "z.nii.gz"):
        with pytest.raises(ResultsError, match="Choose another name"):
            nnr.run_batch(three, taken, p=0.001, workers=0)
    assert os.listdir(three[0]) == ["z.nii.gz"]


def test_equal_and_hostile_names_stay_apart_and_inside(
    write: Write, tmp_path: Path
) -> None:
    names = ["a/pain", "b/pain", "c/..%2f..%2fpain", "d/CON", "e/$(touch x)`;\u202e"]
    if sys.platform == "linux":
        # Any bytes are a name there, also such as are no text.
        names.append("f/\udcff")
    sources = [
        write({"z": blob(4 + index)}, name=name) for index, name in enumerate(names)
    ]
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    done = nnr.run_batch([*sources, sources[0]], out, p=0.001, workers=0)
    assert [record.n_clusters for record in done.records] == [1] * len(names)
    assert done.clusters["peak_value"].tolist() == [
        5.0 + index for index in range(len(names))
    ]
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(out) for path in new)
    assert len(os.listdir(out / "sources")) == len(names)
    assert "\u202e" not in "".join(os.listdir(out / "sources"))


# --- texts of others --------------------------------------------------------------


class _Page(HTMLParser):
    """Gathers the elements, addresses and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "href":
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_no_text_becomes_markup_or_a_formula(write: Write, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    web = write({"z": blob()}, name=evil)
    sheet = write({"z": blob()}, name="=HYPERLINK(1)")
    lines = write({"z": blob()}, name="a\tb\nc\x1b[2J")
    out = tmp_path / "out"
    gone = "=cmd|' /C calc'!A0"
    nnr.run_batch([web, sheet, lines, gone], out, p=0.001, workers=0)
    page = _Page((out / "index.html").read_text(encoding="utf-8"))
    assert page.tags == {
        *("html", "head", "meta", "title", "style", "body", "h1", "p", "a", "br"),
        *("table", "thead", "tbody", "tr", "th", "td", "span"),
    }
    assert evil in page.words
    for link in page.links:
        assert (out / unquote(link)).is_file()
    # Three tables over all, and one of each result.
    assert len(page.links) == 6
    for name in ("clusters.tsv", "summary.tsv", "failures.tsv"):
        text = (out / name).read_text(encoding="utf-8")
        assert "\x1b" not in text
        table = read(out / name)
        cells = [cell for column in table for cell in table[column]]
        assert not any(cell.startswith(("=", "@", "+")) for cell in cells)
    titles = read(out / "clusters.tsv")["title"].tolist()
    assert titles == [evil, "'=HYPERLINK(1)", "a b c?[2J"]
    assert read(out / "failures.tsv")["source"].tolist() == [f"'{gone}"]


@pytest.mark.slow
def test_no_token_is_written(
    web: LocalServers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    api = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("NNR_NEUROVAULT_TOKEN", api)
    collections = [web.add_collection("Secret", private=True) for _ in range(2)]
    for index, collection in enumerate(collections):
        collection.add_image("z.nii.gz", blob(4 + index), map_type="Z map")
    tokens = [str(collection.token) for collection in collections]
    links = [f"{web.neurovault}/collections/{token}/" for token in tokens]
    wrong = f"{web.neurovault}/collections/QWERTYUI/"
    strange = f"https://me:{api}@evil.example/collections/QWERTYUI/"
    out = tmp_path / "out"
    sources = [*links, wrong, strange]
    done = nnr.run_batch(sources, out, p=0.001, workers=2)
    assert [r.status for r in done.records] == ["done", "done", "failed", "failed"]
    # Two private collections stay two.
    assert done.clusters["source"].nunique() == 2
    assert done.clusters["peak_value"].tolist() == [5, 6]
    secrets = [*tokens, "QWERTYUI", api]
    for path in out.rglob("*"):
        text = str(path)
        if path.is_file():
            text += path.read_text(encoding="utf-8")
        assert not [secret for secret in secrets if secret in text], path
    assert not [s for s in secrets if s in repr(done) + repr(done.records)]
    shown = [repr(one) for one in list_sources(sources, Servers.from_environment())]
    assert not [s for s in secrets if s in "".join(shown)]
    # The same private links are known again.
    assert nnr.run_batch(links, out, p=0.001, workers=0).n_asked == 0


def test_a_folder_in_capital_letters_is_no_token(write: Write, tmp_path: Path) -> None:
    folder = write({"z": blob()}, name="PAINDATA")
    done = nnr.run_batch(folder, tmp_path / "out", p=0.001, workers=0)
    assert done.clusters["title"].tolist() == ["PAINDATA"]
    assert done.records[0].source == str(folder)


# --- questions --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"p": 0.1, "q": 0.1}, "exactly one"),
        ({"p": 2.0}, "between 0 and 1"),
        ({"min_voxels": 10}, "needs a height"),
        ({"p": 0.001, "connectivity": 7}, "onnectivity"),
        ({"height": 3}, "A batch does not take this"),
        ({"p": 0.001, "workers": -1}, "0 or more"),
        ({"p": 0.001, "workers": 1, "scheduler": "tcp://x:1"}, "not both"),
    ],
)
def test_a_question_without_meaning_is_refused_before_anything_is_written(
    three: list[Path], tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(ResultsError, match=said):
        nnr.run_batch(three, tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="empty"):
        nnr.run_batch(["", " "], tmp_path / "out", p=0.001)


def test_progress_counts_and_can_stop_it(three: list[Path], tmp_path: Path) -> None:
    heard: list[tuple[int, int | None]] = []

    def stop(what: str, done: int, total: int | None) -> None:
        heard.append((done, total))
        if done == 2:
            raise CancelledError("Cancelled.")

    out = tmp_path / "out"
    with pytest.raises(CancelledError):
        nnr.run_batch(three, out, p=0.001, workers=0, progress=stop)
    assert heard == [(1, 3), (2, 3)]
    assert nnr.run_batch(three, out, p=0.001, workers=0).n_asked == 1


@pytest.mark.slow
def test_a_script_without_a_main_is_told_so(three: list[Path], tmp_path: Path) -> None:
    code = """
import sys
import napari_neurosynth_results as nnr
nnr.run_batch(sys.argv[2:], sys.argv[1], p=0.001, workers=1)
"""
    running = start(code, tmp_path, str(tmp_path / "out"), *map(str, three))
    _, err = running.communicate(timeout=120)
    assert running.returncode == 1
    assert err.rstrip().endswith("or do without them: workers=0.")


def test_a_few_sources_start_few_processes() -> None:
    assert [default_workers(n) for n in (1, 7)] == [1, 1]
    assert 1 <= default_workers(10_000) <= 8


def test_the_record_of_a_source_is_for_machines(
    three: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    nnr.run_batch(three[0], out, p=0.001, workers=0)
    (path,) = (out / "sources").glob("*/record.json")
    record = json.loads(path.read_text())
    assert (record["status"], record["maps"], record["n_clusters"]) == (
        *("done", ["z"], 1),
    )
    # A damaged one is no answer: the source is asked again.
    path.write_text("{")
    assert nnr.run_batch(three[0], out, p=0.001, workers=0).n_asked == 1
    assert json.loads(path.read_text()) | {"seconds": 0} == record | {"seconds": 0}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fcntl to lock with")
def test_a_second_batch_is_kept_out_of_the_folder_and_nothing_changes(
    sample_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    seen: list[str] = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(ResultsError, match=r"Another batch is running in .*out"):
            nnr.run_batch([sample_path], out, maps="p", workers=0, resume=False)
        seen.append((out / "batch.json").read_text())

    def run() -> nnr.BatchSummary:
        return nnr.run_batch(
            [sample_path], out, maps="z", p=0.001, workers=0, progress=meanwhile
        )

    assert not run().failed
    assert seen == [(out / "batch.json").read_text()]
    # The lock went with the batch.
    assert run().n_asked == 0


def test_a_kind_for_a_map_that_no_source_has_is_told(
    write: Write, tmp_path: Path
) -> None:
    folders = [write({"mine": blob()}), write({"z": blob()})]
    kinds = {"mine": "z one-tailed", "nowhere": "t"}
    done = nnr.run_batch(folders, tmp_path / "out", p=0.001, kinds=kinds, workers=0)
    assert done.unknown_kinds == ["nowhere"]
    sentence = "No source that could be opened has the map nowhere that was given"
    assert f"clusters. {sentence}" in str(done)
    assert sentence in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    # Also when it goes on with what was done before.
    again = nnr.run_batch(folders, tmp_path / "out", p=0.001, kinds=kinds, workers=0)
    assert (again.n_asked, again.unknown_kinds) == (0, ["nowhere"])
    assert set(done.clusters["map"]) == {"mine", "z"}
    kinds.pop("nowhere")
    found = nnr.run_batch(folders, tmp_path / "b", p=0.001, kinds=kinds, workers=0)
    assert (found.unknown_kinds, "No source" in str(found)) == ([], False)
    with pytest.raises(ResultsError, match="no kind of numbers"):
        nnr.run_batch(folders, tmp_path / "c", p=0.001, kinds={"mine": "tea"})
    assert not (tmp_path / "c").exists()


# --- what is not ours -------------------------------------------------------------


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "text", ['{"jobs": []}', "[" * 100_000, "", '{"made_by": "somebody"}', "[]"]
)
def test_the_folder_of_another_program_is_left_as_it_is(
    text: str, resume: bool, three: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "sources" / "thesis").mkdir(parents=True)
    (out / ".saving-mine").mkdir()
    mine = {"batch.json": text} | dict.fromkeys(
        ("index.html", "summary.tsv", "sources/thesis/chapter1.txt", ".saving-mine/a"),
        "years of work",
    )
    for name, content in mine.items():
        (out / name).write_text(content)
    with pytest.raises(ResultsError, match=r"batch\.json was not written") as told:
        nnr.run_batch(three, out, p=0.001, workers=0, resume=resume)
    assert "again" not in str(told.value)
    left = {
        str(path.relative_to(out)): path.read_text()
        for path in out.rglob("*")
        if path.is_file()
    }
    assert left == mine


def test_starting_over_takes_away_answers_and_nothing_else(
    three: list[Path], tmp_path: Path
) -> None:
    out, far = tmp_path / "out", tmp_path / "far"
    nnr.run_batch(three, out, p=0.001, regions=True, workers=0)
    folders = sorted((out / "sources").iterdir())
    assert all((folder / "regions.tsv").exists() for folder in folders)
    # What somebody keeps there: notes, a folder of an answer's name, a link to another.
    far.mkdir()
    (far / "clusters.tsv").write_text("mine")
    if sys.platform != "win32":
        (out / "sources" / f"far-{'0' * 16}").symlink_to(far)
    kept = [out / "notes.txt", folders[0] / "notes.txt", out / "sources" / "a" / "b"]
    kept.append(folders[1] / "studies.tsv" / "mine")
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    done = nnr.run_batch(three[:2], out, p=0.01, workers=0, resume=False)
    assert done.n_asked == 2
    assert not done.failed
    assert [path.read_text() for path in kept] == ["mine"] * 4
    assert (far / "clusters.tsv").read_text() == "mine"
    assert not list(out.rglob("regions.tsv"))
    assert len(list(out.rglob("record.json"))) == 2
    # And going on: what is asked anew is written beside them.
    again = nnr.run_batch(three, out, p=0.01, workers=0)
    assert again.n_asked == 1
    assert [path.read_text() for path in kept] == ["mine"] * 4


@pytest.mark.slow
def test_a_worker_that_cannot_write_is_told_in_one_sentence(
    three: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    nnr.run_batch(three, out, p=0.001, workers=0)
    folder = min((out / "sources").iterdir())
    shutil.rmtree(folder)
    folder.write_text("mine")
    with pytest.raises(ResultsError) as told:
        nnr.run_batch(three, out, p=0.001, workers=1)
    assert str(told.value) == f"{folder} exists already. Choose another name."
    assert folder.read_text() == "mine"


def test_a_map_that_is_broken_is_not_said_to_be_missing_alone(
    write: Write, tmp_path: Path
) -> None:
    folder = write({"z": blob(), "p": np.full(blob().shape, 0.5)})
    (folder / "z.nii.gz").write_text("broken")
    done = nnr.run_batch(folder, tmp_path / "out", maps="z", workers=0)
    assert "z.nii.gz is not a NIfTI image" in done.records[0].sentence


def test_parts_of_which_a_share_is_active(sample_path: Path, tmp_path: Path) -> None:
    alone, out = tmp_path / "z_corr-FDR_method-indep.nii.gz", tmp_path / "out"
    alone.write_bytes((sample_path / "z.nii.gz").read_bytes())
    sources = [sample_path, alone]
    done = nnr.run_batch(sources, out, p=0.001, active_parts=0.7, workers=0)
    table = read(out / "parts.tsv")
    assert table["n_voxels"].tolist() == ["367", "64", "62", "30"]
    assert set(table["title"]) == {"pain-ale"}
    assert "no active parts" in " ".join(done.records[1].notices)
    assert "active parts" in (out / "index.html").read_text("utf-8")
    with pytest.raises(ResultsError, match="share"):
        nnr.run_batch(sources, tmp_path / "other", p=0.001, active_parts=7, workers=0)


@pytest.mark.slow
def test_one_experiment_is_left_out_where_that_can_be_done(
    sample_path: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("z.nii.gz", "p.nii.gz"):
        (bare / name).write_bytes((sample_path / name).read_bytes())
    out = tmp_path / "out"
    nnr.run_batch(
        [sample_path, bare],
        out,
        maps="z",
        p=0.001,
        min_voxels=10,
        leave_one_out=True,
        studies=True,
        workers=0,
    )
    table = read(out / "clusters.tsv")
    known = table[table["title"] == "pain-ale"]
    stands = known["stands"].astype(int).tolist()
    assert stands[:9] == [21, 21, 21, 21, 21, 21, 20, 19, 19]
    assert set(known["stands_of"]) == {"21"}
    assert table[table["title"] == "bare"]["stands"].eq("").all()
    told = read(out / "summary.tsv")["notices"].tolist()
    assert "z: no experiment was left out" in told[1]
    assert "peak_activation" in read(out / "studies.tsv")
