"""The file of a workspace: what is documented is what is read and written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_neurosynth_results.export.workspace.contents import (
    Clusters,
    Description,
    FociReference,
    GivenName,
    Map,
    MaskReference,
    Naming,
    SavedRequest,
    Source,
)
from napari_neurosynth_results.export.workspace.file import (
    FORMAT,
    VERSION,
    LabelsStyle,
    LayerState,
    Workspace,
    change_atlas_paths,
    change_paths,
    read_workspace,
    write_workspace,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

DOCUMENT = Path(__file__).parents[3] / "docs" / "workspace.md"


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    found = re.search(r"```json\n(.*?)```", DOCUMENT.read_text(), re.S)
    assert found is not None
    path = tmp_path / "a.nnr.json"
    path.write_text(found[1])
    workspace, told = read_workspace(str(path))
    assert told == []
    assert workspace.version == VERSION
    [clusters] = workspace.contents.clusters
    assert clusters.asked.threshold == Threshold(q=0.05, min_voxels=10)
    assert clusters.asked.place == MaskReference("map", 0, 0.01)
    assert clusters.names == (GivenName((64, 65, 37), "insula and putamen"),)
    assert [layer.shows for layer in workspace.layers] == [
        "underlay",
        "map",
        "clusters",
    ]


@pytest.mark.parametrize(
    "text", ["a", "[\n 1,\n 2\n]", "[ 1, 2 ]", "脳 \" ' \\", "\udcff", "\x00\u2028"]
)
def test_there_and_back(tmp_path: Path, text: str) -> None:
    place = MaskReference("clusters", clusters=0, path=text, name=text)
    workspace = Workspace(
        FORMAT,
        VERSION,
        contents=Description(
            (Source((text,), text),),
            (Map(text, text, 0),),
            (Clusters(0, SavedRequest(Threshold(p=0.1 + 0.2), place, (1.5, 2.0))),),
        ),
        layers=(
            LayerState("map", 0, text),
            LayerState(
                "clusters", labels=LabelsStyle(colors=((1, 2, 3, 4),), parts=0.7)
            ),
        ),
    )
    path = str(tmp_path / "a.nnr.json")
    write_workspace(workspace, path, overwrite=False)
    assert read_workspace(path) == (workspace, [])
    assert "[1, 2, 3, 4]" in Path(path).read_text(encoding="utf-8")


def test_every_path_is_changed_and_nothing_else() -> None:
    contents = Description(
        (Source(("a", "b")), Source(("https://c",), remote=True)),
        (Map("z", "", 0),),
        (
            Clusters(
                0,
                SavedRequest(
                    Threshold(p=0.1), MaskReference("file", path="d", name="n")
                ),
            ),
            Clusters(0, SavedRequest(Threshold(p=0.1)), Naming("/e", "/f")),
            Clusters(
                0, SavedRequest(Threshold(p=0.1), MaskReference("brain")), Naming("aal")
            ),
        ),
        (),
        (FociReference(0), FociReference(path="g", annotation="h")),
    )
    seen: list[str] = []

    def note(path: str) -> str:
        seen.append(path)
        return f"{path}!"

    found = change_paths(contents, note)
    assert sorted(seen) == sorted(["a", "b", "d", "/e", "/f", "g", "h"])
    assert found.sources[0].paths == ("a!", "b!")
    assert found.sources[1].paths == ("https://c",)
    assert found.clusters[0].asked.place == MaskReference("file", path="d!", name="n")
    assert found.clusters[1].naming == Naming("/e!", "/f!")
    assert found.clusters[2] == contents.clusters[2]
    assert found.foci == (FociReference(0), FociReference(path="g!", annotation="h!"))
    assert change_atlas_paths(Naming(None), note) == Naming(None)
