"""Scripts are Python, whatever things are called; nothing is dropped in silence."""

from __future__ import annotations

import ast
import builtins
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_neurosynth_results.export.workspace.contents import (
    Clusters,
    Description,
    FociReference,
    GivenName,
    Map,
    MaskReference,
    Naming,
    Pair,
    SavedRequest,
    Source,
)
from napari_neurosynth_results.export.workspace.script import (
    FIRST_STEP,
    VariableNames,
    as_comment,
    write_script,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

PAIN = Source(("pain",), "pain")
Z, P = Map("z", "z, uncorrected", 0), Map("p", "p, uncorrected", 0)
STRICT = SavedRequest(Threshold(p=0.001))


def script(*clusters: Clusters, **more: Any) -> str:
    given: dict[str, Any] = {"sources": (PAIN,), "maps": (Z, P), "clusters": clusters}
    return write_script(Description(**(given | more)))


def calls(text: str, function: str) -> list[ast.Call]:
    """Find the calls of a function of the API."""
    return [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == function
    ]


def keywords(call: ast.Call) -> dict[str, Any]:
    return {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_ever_becomes_code(path: str, key: str, title: str, name: str) -> None:
    found = Clusters(
        0, STRICT, Naming(path, name, ""), (GivenName((1, 2, 3), name),), title
    )
    place = MaskReference("painted", name=title)
    other = Clusters(0, SavedRequest(Threshold(p=0.5), place), Naming(None, layer=name))
    text = write_script(
        Description(
            (Source((path,), title, needs_link=True),),
            (Map(key, title, 0),),
            (found, other),
            (Pair(0, 1),),
            (FociReference(path=path, include=name), FociReference(title=title)),
        )
    )
    # What stands in comments ends with its line; all else is as we wrote it.
    plain = write_script(
        Description(
            (Source(("a",), "", needs_link=True),),
            (Map("a", "", 0),),
            (
                Clusters(0, STRICT, Naming("a", "a", ""), (GivenName((1, 2, 3), "a"),)),
                Clusters(
                    0, SavedRequest(Threshold(p=0.5), place), Naming(None, layer="a")
                ),
            ),
            (Pair(0, 1),),
            (FociReference(path="a", include="a"), FociReference()),
        )
    )
    if path and name:
        assert shape(text) == shape(plain)


def shape(text: str) -> list[str]:
    return [type(node).__name__ for node in ast.walk(ast.parse(text))]


@pytest.mark.parametrize(
    "asked",
    [
        SavedRequest(Threshold(value=3.1, strict=True, tail="negative")),
        SavedRequest(Threshold(p=np.float64(0.1) + 0.2, connectivity=18, min_mm3=81.5)),
        SavedRequest(Threshold(q=0.05, fdr="BY", min_voxels=10), dof=20.0),
        SavedRequest(Threshold(bonferroni=1e-300, tail="both"), dof=(2.0, 30.5)),
    ],
)
def test_every_part_of_a_threshold_is_written(asked: SavedRequest) -> None:
    [call] = calls(script(Clusters(0, asked)), "find_clusters")
    given = keywords(call)
    dof = given.pop("dof", None)
    assert Threshold(**given) == asked.threshold
    assert dof == asked.dof


def test_what_is_assumed_anyway_is_not_written() -> None:
    assert "nnr.find_clusters(z, p=0.001)\n" in script(Clusters(0, STRICT))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (MaskReference("map", 1, 0.02), "nnr.mask_from_map(z, p, p=0.02)"),
        (
            MaskReference("map", 1, 0.02, outside=True),
            "nnr.mask_from_map(z, p, p=0.02, exclusive=True)",
        ),
        (MaskReference("file", path="a'b.nii"), 'nnr.mask_from_file(z, "a\'b.nii")'),
        (
            MaskReference("brain"),
            "nnr.find_clusters(z, p=0.001, mask=nnr.brain_mask(z))",
        ),
        (MaskReference("painted", name="area"), "nnr.mask_from_file(z, 'area.nii.gz')"),
        (MaskReference("clusters", clusters=1, outside=True), "clusters_p.labels != 0"),
    ],
)
def test_places(place: MaskReference, expected: str) -> None:
    text = script(
        Clusters(0, SavedRequest(Threshold(p=0.001), place)), Clusters(1, STRICT)
    )
    assert expected in text
    assert (FIRST_STEP in text) == (place.kind == "painted")
    # What is used has been made before.
    compile(text, "script", "exec")
    mask = "mask_z = " in text
    assert mask == (place.kind != "brain")
    if place.kind == "clusters":
        assert text.index("clusters_p = ") < text.index("mask_z = ")
        assert "exclusive=True" in text
        # What it was made of is known again: nothing is corrected in it by the way.
        assert "made_of=origins_of(clusters_p.statmap)" in text


def test_an_atlas_that_no_file_stands_for_is_told_once() -> None:
    naming = Naming(None, layer="my atlas")
    text = script(Clusters(0, STRICT, naming), Clusters(1, STRICT, naming))
    assert text.count(FIRST_STEP) == 1
    assert text.count("nnr.open_atlas('my_atlas.nii.gz', 'my_atlas.csv')") == 2


@pytest.mark.parametrize(
    ("naming", "expected"),
    [
        (Naming(None), "atlas=None"),
        (Naming("aal"), "atlas='aal'"),
        (Naming("/a.nii", "/a.csv"), "atlas=nnr.open_atlas('/a.nii', '/a.csv')"),
    ],
)
def test_atlases(naming: Naming, expected: str) -> None:
    assert expected in script(Clusters(0, STRICT, naming))


def test_names_are_given_by_peak() -> None:
    named = (GivenName((1, 2, 3), "here"), GivenName((4, 5, 6), "it's"))
    text = script(Clusters(0, STRICT, names=named))
    given = next(
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    )
    assert ast.literal_eval(given) == {one.peak: one.name for one in named}


def test_foci_and_their_files() -> None:
    text = script(
        foci=(
            FociReference(0),
            FociReference(path="s.json", annotation="a.json", include="it's"),
            FociReference(title="found"),
        )
    )
    assert "studies = results.studies\n" in text
    second, third = calls(text, "open_studies")
    assert keywords(second) == {"annotation": "a.json", "include": "it's"}
    assert ast.literal_eval(third.args[0]) == "found.json"
    assert text.count(FIRST_STEP) == 1


def test_maps_that_were_downloaded() -> None:
    source = Source(("1425",), "pain", True, False, ("z", "it's"))
    text = script(sources=(source,))
    assert "results.on_demand = False\nkeys = ['z', \"it's\"]\n" in text
    assert len(calls(text, "fetch")) == 1


def test_comments_are_short_lines() -> None:
    sentence = "z >= 3.09 " * 20
    text = script(Clusters(0, STRICT, sentence=sentence))
    told = [line for line in text.splitlines() if line.startswith("# ")]
    assert len(told) > 2
    assert " ".join(line[2:] for line in told).endswith(sentence.strip())
    assert max(map(len, told)) <= 88


@given(st.lists(st.text(), max_size=6))
def test_variables_are_names_and_no_two_are_alike(wanted: list[str]) -> None:
    names = VariableNames()
    found = [names.new_for_map(one) for one in wanted] + [names.new("class")]
    assert len(set(found)) == len(found)
    assert "nnr" not in found
    for name in found:
        compile(f"{name} = 1", "script", "exec")
        assert not hasattr(builtins, name)


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\0"])
def test_a_comment_never_ends_early(end: str) -> None:
    assert as_comment(f"a{end}b") == "a b"
