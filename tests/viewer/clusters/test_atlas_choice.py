"""Which atlas names the places of a viewer: preferences, layers, what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from local_servers import LocalServers, label_xml
from napari_neurosynth_results import ResultsError, find_clusters, open_results
from napari_neurosynth_results.anatomy.atlas import read_default_atlas
from napari_neurosynth_results.job import CancelledError
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.atlases import find as sources_find
from napari_neurosynth_results.viewer.clusters import atlas_choice
from napari_neurosynth_results.viewer.clusters.atlas_choice import (
    ATLAS_KEY,
    atlas_of_layer,
    choose_atlas,
    chosen_atlas,
    describe_atlas,
    fetch_atlas,
)
from napari_neurosynth_results.viewer.clusters.cluster_layers import (
    clusters_of,
    show_clusters,
)
from napari_neurosynth_results.viewer.clusters.defaults import shown_clusters
from napari_neurosynth_results.viewer.clusters.readout import read_at
from napari_neurosynth_results.viewer.layers import map_layer
from napari_neurosynth_results.viewer.plugin.commands import label_active_map
from napari_neurosynth_results.viewer.plugin.reader import add_maps

LEFT, RIGHT = (-40.0, -10.0, 0.0), (50.0, -10.0, 0.0)


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start without an atlas in memory, and on a machine that has none."""
    atlas_choice._preferred.cache_clear()
    monkeypatch.delenv("FSLDIR", raising=False)
    monkeypatch.setenv("NILEARN_DATA", str(tmp_path / "nilearn"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))


def _labels() -> Any:
    """Return (x, y, z) labels on a 20 mm grid: 1 on the left, 2 on the right."""
    labels = np.zeros((8, 9, 8), np.int16)
    labels[1:3, 4:6, 2:4] = 1
    labels[5:7, 4:6, 2:4] = 2
    return labels


def _affine() -> Any:
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    affine[:3, 3] = (-70, -110, -60)
    return affine


def _layer(features: Any = None, **options: Any) -> Labels:
    placed = {"scale": (20, 20, 20), "translate": (-60, -110, -70)}
    table = {"name": ["", "insula_L", "insula_R"]} if features is None else features
    return Labels(
        _labels().T.copy(), features=pd.DataFrame(table), **(placed | options)
    )


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Write an atlas with names beside it."""
    nib.Nifti1Image(_labels(), _affine()).to_filename(tmp_path / "own.nii.gz")
    (tmp_path / "own.csv").write_text("index,name\n1,insula_L\n2,insula_R\n")
    (tmp_path / "other.csv").write_text("index,name\n1,one\n2,two\n")
    return str(tmp_path / "own.nii.gz")


def _named(atlas: Any) -> list[str]:
    return [atlas.name_of(int(label)) for label in atlas.labels_at([LEFT, RIGHT])]


def test_the_packaged_one_unless_something_else_is_chosen(preferences: Any) -> None:
    assert chosen_atlas() is read_default_atlas()
    preferences.anatomy.atlas = "  "
    assert chosen_atlas() is read_default_atlas()
    preferences.anatomy.atlas = "None"
    assert chosen_atlas() is None


def test_preferences_name_a_file(preferences: Any, own: str, tmp_path: Path) -> None:
    preferences.anatomy.atlas = own
    atlas = chosen_atlas()
    assert atlas is not None
    assert _named(atlas) == ["insula L", "insula R"]
    assert chosen_atlas() is atlas
    preferences.anatomy.atlas_names = str(tmp_path / "other.csv")
    assert _named(chosen_atlas()) == ["one", "two"]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("schaefer-200", "not on this machine"),
        ("no such thing", "neither a file nor an atlas"),
        ("\0", "neither a file nor an atlas"),
    ],
)
def test_what_cannot_be_read_is_told_once_and_replaced(
    preferences: Any, notifications: list[Any], what: str, words: str
) -> None:
    preferences.anatomy.atlas = what
    assert chosen_atlas() is read_default_atlas()
    assert chosen_atlas() is read_default_atlas()
    (told,) = notifications
    assert words in told.message
    assert "Desikan-Killiany" in told.message


def test_a_broken_file_is_told_too(
    preferences: Any, notifications: list[Any], own: str
) -> None:
    Path(own).write_bytes(b"broken")
    preferences.anatomy.atlas = own
    assert chosen_atlas() is read_default_atlas()
    assert len(notifications) == 1


def test_without_napari_there_are_no_preferences() -> None:
    code = (
        "import sys\n"
        "from napari_neurosynth_results.viewer.clusters.atlas_choice"
        " import chosen_atlas\n"
        "assert chosen_atlas().name.startswith('Desikan')\n"
        "assert not {'napari', 'nilearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_layer_is_chosen_for_as_long_as_it_is_there(plugin: Any) -> None:
    viewer: Any = ViewerModel()
    layer = viewer.add_layer(_layer(name="mine"))
    other = viewer.add_layer(_layer(name="other"))
    assert chosen_atlas(viewer) is read_default_atlas()
    chosen = choose_atlas(viewer, layer)
    assert chosen is not None
    assert chosen_atlas(viewer) is chosen
    assert (chosen.name, _named(chosen)) == ("mine", ["insula L", "insula R"])
    assert choose_atlas(viewer, other) is chosen_atlas(viewer)
    assert ATLAS_KEY not in layer.metadata
    viewer.layers.remove(other)
    assert chosen_atlas(viewer) is read_default_atlas()


def test_each_viewer_has_its_own(
    plugin: Any, sample: ResultSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = ViewerModel(), ViewerModel()
    monkeypatch.setattr("napari.current_viewer", lambda: other)
    before = shown_clusters(mine, sample["z"])
    assert read_at(mine, LEFT).region == "insula L"
    choose_atlas(mine, mine.add_layer(_layer({"name": ["", "here", "there"]})))
    assert read_at(mine, LEFT).region == "here"
    after = shown_clusters(mine, sample["z"])
    assert before is not None
    assert after is not None
    assert before.atlas is read_default_atlas()
    assert after.atlas is chosen_atlas(mine)
    add_maps(mine, [sample["z"]])
    mine.layers.selection.active = mine.layers[-1]
    label_active_map(mine)
    [shown] = [one for one in map(clusters_of, mine.layers) if one is not None]
    assert shown.atlas is chosen_atlas(mine)


def test_a_name_or_a_file_is_chosen_for_the_next_session_too(
    preferences: Any, own: str
) -> None:
    viewer: Any = ViewerModel()
    layer = viewer.add_layer(_layer())
    choose_atlas(viewer, layer)
    assert _named(choose_atlas(viewer, own)) == ["insula L", "insula R"]
    assert preferences.anatomy.atlas == own
    assert ATLAS_KEY not in layer.metadata
    assert _named(chosen_atlas(viewer)) == ["insula L", "insula R"]
    assert choose_atlas(viewer, "none") is None
    assert chosen_atlas(viewer) is None
    assert choose_atlas(viewer, "default") is chosen_atlas(viewer)


def test_a_choice_that_fails_changes_nothing(preferences: Any) -> None:
    viewer: Any = ViewerModel()
    layer = viewer.add_layer(_layer())
    chosen = choose_atlas(viewer, layer)
    for what in ("schaefer-200", viewer.add_layer(Labels(np.zeros((3, 3, 3), int)))):
        with pytest.raises(ResultsError):
            choose_atlas(viewer, what)
    assert chosen_atlas(viewer) is chosen
    assert preferences.anatomy.atlas == "default"


def test_nothing_is_kept_where_there_are_no_preferences(
    monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    def unknown(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr("napari.settings.get_plugin_settings", unknown)
    with pytest.raises(ResultsError, match="cannot be kept"):
        choose_atlas(ViewerModel(), own)
    assert chosen_atlas() is read_default_atlas()


@pytest.mark.parametrize(
    "features",
    [
        {"Region": ["", "insula_L", "insula_R"], "size": [0, 1, 2]},
        {"label": ["", "Left insula", "Right insula"]},
        {"index": [2, 1], "name": ["insula_R", "insula_L"]},
        {"label": [2, 1], "name": ["insula_R", "insula_L"]},
        {"name": [None, "insula_L", "insula_R"], "index": [np.nan, 1, 2.0]},
    ],
)
def test_a_layer_with_names_among_its_features(features: Any) -> None:
    atlas = atlas_of_layer(_layer(features))
    assert atlas is not None
    assert _named(atlas) == ["insula L", "insula R"]


def test_what_is_painted_counts_at_once() -> None:
    layer = _layer()
    atlas = atlas_of_layer(layer)
    assert atlas is not None
    layer.data_setitem((np.array([3]), np.array([8]), np.array([2])), 2)
    assert atlas.labels_at([(-30, 50, 0)]).tolist() == [2]


@pytest.mark.parametrize(
    "layer",
    [
        Image(np.zeros((3, 3, 3))),
        Labels(np.zeros((3, 3, 3), int)),
        Labels(np.zeros((3, 3, 3), int), features=pd.DataFrame({"name": [1.0, 2.0]})),
        Labels(np.zeros((3, 3, 3), int), features=pd.DataFrame({"size": ["a", "b"]})),
    ],
)
def test_what_names_no_region(layer: Any) -> None:
    assert atlas_of_layer(layer) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"translate": (900, 0, 0)}, "not in MNI space"),
        ({"scale": (1, 1, 1), "translate": (0, 0, 0)}, "not in MNI space"),
        ({"rotate": (10, 20, 30)}, "does not lie along the axes"),
    ],
)
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_layer_that_lies_somewhere_else_is_refused(options: Any, words: str) -> None:
    with pytest.raises(ResultsError, match=words):
        atlas_of_layer(_layer(**options))


def test_an_atlas_of_neurovault_becomes_one(web: LocalServers) -> None:
    collection = web.add_collection()
    names = {1: "Left insula", 2: "Right insula"}
    collection.add_atlas("atlas.nii.gz", _labels(), label_xml(names))
    statmap = open_results(f"{web.neurovault}/collections/{collection.place}/")["atlas"]
    (data, keywords, _), _ = map_layer(statmap, visible=True)
    atlas = atlas_of_layer(Labels(data, **keywords))
    assert atlas is not None
    assert list(atlas.names.values()) == ["insula L", "insula R"]
    labels = np.asarray(statmap.data)
    for label in (1, 2):
        x = np.argwhere(labels == label).mean(0) @ statmap.affine[:3, :3].T
        side = "L" if x[0] + statmap.affine[0, 3] < 0 else "R"
        assert atlas.name_of(label).endswith(side)


def test_clusters_are_no_atlas(sample_path: Path) -> None:
    statmap = open_results(sample_path)["z"]
    (data, keywords, _), _ = map_layer(statmap, visible=True)
    viewer: Any = ViewerModel()
    layer = viewer.add_layer(Image(data, **keywords))
    shown = show_clusters(viewer, layer, find_clusters(statmap, p=0.001))
    shown.features = pd.DataFrame({"name": ["", *map(str, shown.features.index[1:])]})
    assert atlas_of_layer(shown) is None


def test_a_download_makes_an_atlas_available(
    preferences: Any, monkeypatch: pytest.MonkeyPatch, notifications: list[Any]
) -> None:
    preferences.anatomy.atlas = "schaefer-200"
    assert chosen_atlas() is read_default_atlas()
    with pytest.raises(ResultsError, match="offline"):
        fetch_atlas("schaefer-200")
    asked = []

    def find(what: str, names: Any = None, **options: Any) -> Any:
        asked.append((what, options.get("fetch"), options.get("offline")))
        return atlas_of_layer(_layer(name="fetched"))

    monkeypatch.setattr(sources_find, "find_atlas", find)
    monkeypatch.setenv("NNR_OFFLINE", "0")
    assert fetch_atlas("schaefer-200").name == "fetched"
    assert asked == [("schaefer-200", True, False)]
    # The warning about what was missing is not what is remembered.
    atlas = chosen_atlas()
    assert atlas is not None
    assert atlas.name == "fetched"


def test_other_preferences_that_are_wrong_do_not_matter(preferences: Any) -> None:
    preferences.servers.neurovault = "ftp://nonsense"
    assert chosen_atlas() is read_default_atlas()


def test_an_atlas_that_nobody_waited_for_is_not_said_to_be_lost(
    preferences: Any, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = ViewerModel()
    choose_atlas(viewer, own)
    atlas = chosen_atlas(viewer)
    assert describe_atlas(viewer, atlas).atlas == own

    def close_meanwhile(*_: Any) -> None:
        raise CancelledError("The window was closed.")

    monkeypatch.setattr(atlas_choice, "wait_for", close_meanwhile)
    with pytest.raises(CancelledError):
        describe_atlas(viewer, atlas)
