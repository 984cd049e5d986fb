"""The state of a viewer, as a script that gives the same tables to the digit."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from helpers.worked_in import threshold
from local_servers import LocalServers
from napari_neurosynth_results import open_results
from napari_neurosynth_results.export.workspace.contents import MaskReference
from napari_neurosynth_results.export.workspace.script import FIRST_STEP, write_script
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.statistics.comparison.comparison import compare
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold
from napari_neurosynth_results.viewer.clusters.cluster_layers import clusters_of, rename
from napari_neurosynth_results.viewer.clusters.mask_choice import BRAIN, MaskChoice
from napari_neurosynth_results.viewer.compare.comparison_layers import (
    show_agreement,
    show_map,
)
from napari_neurosynth_results.viewer.foci import show_foci
from napari_neurosynth_results.viewer.workspace.state_reader import describe

pytestmark = pytest.mark.usefixtures("preferences")

MASS = "z_desc-mass_level-cluster_corr-FWE_method-montecarlo"
SHAPE = (8, 9, 8)


def run(script: str, folder: Path) -> dict[str, pd.DataFrame]:
    """Run a script in a process of its own; return its tables by variable."""
    after = """
import pickle, sys
assert not {"napari", "qtpy", "PyQt6", "vispy"} & set(sys.modules)
found = {
    name: value.table
    for name, value in list(globals().items())
    if isinstance(value, (nnr.ClusterSet, nnr.Comparison))
}
found |= {
    name: value.foci
    for name, value in list(globals().items())
    if type(value).__name__ == "Studies"
}
with open("tables.pickle", "wb") as file:
    pickle.dump(found, file)
"""
    (folder / "script.py").write_text(script + after, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    tables: dict[str, pd.DataFrame] = pickle.loads(
        (folder / "tables.pickle").read_bytes()
    )
    return tables


def same(table: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(table, expected, check_exact=True)


@pytest.mark.slow
def test_the_script_of_the_sample_gives_the_same_tables(
    viewer: Any, sample: ResultSet, tmp_path: Path
) -> None:
    z, logp, stat = sample["z"], sample["logp"], sample["stat"]
    first = threshold(viewer, z, Threshold(p=0.001, min_voxels=30, connectivity=26))
    rename(first, 1, 'it\'s the "insula"\\\n')
    inside = MaskChoice(z, 0.01)
    second = threshold(viewer, logp, Threshold(p=0.003), inside)
    bare = threshold(viewer, stat, Threshold(bonferroni=0.01), atlas=None)
    mass = threshold(viewer, sample[MASS], Threshold(p=0.2))
    made = [clusters_of(layer) for layer in (first, second, bare, mass)]
    comparison = compare(made[0], made[1])  # type: ignore[arg-type]
    show_agreement(viewer, comparison)
    text = write_script(describe(viewer))
    assert "napari." not in text.replace("import napari_neurosynth_results", "")
    assert text.count("compare_maps") == 1
    assert "atlas=None" in text
    tables = run(text, tmp_path)
    names = ("z", "logp", "stat", "z_mass_cluster_fwe")
    for name, clusters in zip(names, made, strict=True):
        assert clusters is not None
        assert len(clusters) > 1
        same(tables[f"clusters_{name}"], clusters.table)
    assert 'it\'s the "insula"\\' in tables["clusters_z"].name.tolist()
    assert (tables["clusters_stat"].region == "").all()
    same(tables["comparison"], comparison.table)
    assert len(tables) == 5


@pytest.mark.slow
def test_what_two_maps_have_in_common_is_made_again(
    viewer: Any, sample: ResultSet, tmp_path: Path
) -> None:
    a = threshold(viewer, sample["z"], Threshold(p=0.001))
    b = threshold(viewer, sample["logp"], Threshold(p=0.01, tail="positive"))
    comparison = compare(clusters_of(a), clusters_of(b))  # type: ignore[arg-type]
    assert comparison.conjunction is not None
    show_map(viewer, comparison.conjunction)
    both = threshold(viewer, comparison.conjunction, Threshold(p=0.0005))
    # The maps have moved on since.
    threshold(viewer, sample["z"], Threshold(p=0.05))
    text = write_script(describe(viewer))
    tables = run(text, tmp_path)
    expected = clusters_of(both)
    assert expected is not None
    assert len(expected)
    same(tables["clusters_z_conjunction"], expected.table)
    same(tables["comparison"], comparison.table)
    kept = [table for name, table in tables.items() if name.startswith("clusters_z")]
    assert len(kept) == 3


@pytest.mark.slow
@pytest.mark.parametrize("outside", [False, True])
def test_masks_of_clusters_files_and_the_brain(
    viewer: Any, sample: ResultSet, tmp_path: Path, outside: bool
) -> None:
    from napari_neurosynth_results import save_clusters

    first = threshold(viewer, sample["z"], Threshold(p=0.01))
    strict = Threshold(p=0.001)
    second = threshold(
        viewer, sample["logp"], strict, MaskChoice(first, outside=outside)
    )
    path = str(tmp_path / "it's \\ a\nmask.nii.gz")
    save_clusters(clusters_of(first), path)  # type: ignore[arg-type]
    third = threshold(viewer, sample["stat"], strict, MaskChoice(path, outside=outside))
    fourth = threshold(viewer, sample[MASS], Threshold(p=0.1), MaskChoice(BRAIN))
    tables = run(write_script(describe(viewer)), tmp_path)
    for name, layer in zip(
        ("logp", "stat", "z_mass_cluster_fwe"), (second, third, fourth), strict=True
    ):
        clusters = clusters_of(layer)
        assert clusters is not None
        same(tables[f"clusters_{name}"], clusters.table)


@pytest.mark.slow
def test_a_mask_that_was_painted_says_what_to_save_first(
    viewer: Any, sample: ResultSet, tmp_path: Path
) -> None:
    import nibabel as nib

    grid = sample["z"].grid
    voxels = np.zeros(grid.shape[::-1], np.uint8)
    voxels[30:60, 40:70, 45:80] = 1
    painted = viewer.add_labels(
        voxels,
        name="my 'area'\nimport os",
        scale=grid.voxel_size[::-1],
        translate=grid.origin[::-1],
    )
    made = threshold(viewer, sample["z"], Threshold(p=0.001), MaskChoice(painted))
    text = write_script(describe(viewer))
    [told] = [line for line in text.splitlines() if line.startswith(FIRST_STEP)]
    assert "my 'area' import os" in told
    assert "my_area_import_os.nii.gz" in told
    assert "\nimport os" not in text
    image = nib.Nifti1Image(voxels.T, grid.affine)
    image.to_filename(tmp_path / "my_area_import_os.nii.gz")
    expected = clusters_of(made)
    assert expected is not None
    same(run(text, tmp_path)["clusters_z"], expected.table)


@pytest.mark.slow
def test_clusters_that_changed_since_they_were_a_mask_are_not_taken_for_it(
    viewer: Any, sample: ResultSet
) -> None:
    first = threshold(viewer, sample["z"], Threshold(p=0.01))
    threshold(viewer, sample["logp"], Threshold(p=0.001), MaskChoice(first))
    found = describe(viewer).clusters[1].asked.place
    assert found is not None
    assert (found.kind, found.clusters) == ("clusters", 0)
    threshold(viewer, sample["z"], Threshold(p=0.02))
    found = describe(viewer).clusters[1].asked.place
    assert found == MaskReference("painted", name=first.name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["it's", 'a "b"', "back\\slash", "line\nbreak", "脳"])
def test_hostile_paths_and_titles(
    viewer: Any,
    write: Callable[..., Path],
    rng: np.random.Generator,
    tmp_path: Path,
    name: str,
) -> None:
    z = rng.normal(0, 2, SHAPE)
    folder = write({"z": z, f"{name} class": z}, name=name)
    results = open_results(folder)
    made = [threshold(viewer, m, Threshold(value=2)) for m in results.maps.values()]
    tables = run(write_script(describe(viewer)), tmp_path)
    assert len(tables) == len(made) == 2
    for table, layer in zip(tables.values(), made, strict=True):
        clusters = clusters_of(layer)
        assert clusters is not None
        assert len(clusters)
        same(table, clusters.table)


@pytest.mark.slow
def test_several_files_are_opened_together_again(
    viewer: Any, write: Callable[..., Path], rng: np.random.Generator, tmp_path: Path
) -> None:
    z = np.abs(rng.normal(0, 2, SHAPE))
    folder = write({"z": z, "p": np.exp(-z), "other": z})
    paths = [str(folder / "z.nii.gz"), str(folder / "p.nii.gz")]
    results = open_results(paths)
    made = threshold(viewer, results["z"], Threshold(p=0.05))
    described = describe(viewer)
    assert sorted(described.sources[0].paths) == sorted(paths)
    expected = clusters_of(made)
    assert expected is not None
    same(run(write_script(described), tmp_path)["clusters_z"], expected.table)


@pytest.mark.slow
def test_a_result_of_compose(
    viewer: Any, web: LocalServers, rng: np.random.Generator, tmp_path: Path
) -> None:
    collection = web.add_collection("Pain", full_dataset_url="")
    z = np.abs(rng.normal(0, 6, SHAPE))
    for stem, data in {"z": z, "p": np.exp(-z), "stat": z}.items():
        collection.add_image(f"{stem}.nii.gz", data)
    meta_id = web.add_meta_analysis(collection)
    link = f"{web.compose}/projects/Proj00000000/meta-analyses/{meta_id}"
    results = open_results(link)
    results.on_demand = False
    results.fetch([results["z"], results["p"]])
    made = threshold(viewer, results["z"], Threshold(q=0.2))
    studies = results.studies
    assert studies is not None
    show_foci(viewer, studies)
    described = describe(viewer)
    assert described.sources[0].paths == (link,)
    assert described.sources[0].fetched == ("z", "p")
    tables = run(write_script(described), tmp_path)
    expected = clusters_of(made)
    assert expected is not None
    assert len(expected)
    same(tables["clusters_z"], expected.table)
    same(tables["studies"], studies.foci)


@pytest.mark.slow
def test_a_private_link_is_never_written(
    viewer: Any, web: LocalServers, rng: np.random.Generator, tmp_path: Path
) -> None:
    collection = web.add_collection("Secret", private=True)
    collection.add_image("z.nii.gz", np.abs(rng.normal(0, 2, SHAPE)))
    token = collection.token
    results = open_results(f"{web.neurovault}/collections/{token}/")
    made = threshold(viewer, results["z"], Threshold(p=0.05))
    described = describe(viewer)
    text = write_script(described)
    assert token not in text
    assert described.sources[0].needs_link
    [told] = [line for line in text.splitlines() if line.startswith(FIRST_STEP)]
    assert "link" in told
    # This machine has it, and finds it by another name.
    expected = clusters_of(made)
    assert expected is not None
    same(run(text, tmp_path)["clusters_z"], expected.table)


@pytest.mark.slow
def test_another_atlas(
    viewer: Any, sample: ResultSet, tmp_path: Path, preferences: Any
) -> None:
    import nibabel as nib

    atlas = find_atlas("default")
    path = tmp_path / "mine.nii.gz"
    labels = (atlas.labels > 40).astype(np.int16)
    nib.Nifti1Image(labels, atlas.grid.affine).to_filename(path)
    (tmp_path / "mine.csv").write_text("index,name\n1,there\n")
    preferences.anatomy.atlas = str(path)
    own = find_atlas(path)
    made = threshold(viewer, sample["z"], Threshold(p=0.001), atlas=own)
    described = describe(viewer)
    assert described.clusters[0].naming.atlas == str(path)
    expected = clusters_of(made)
    assert expected is not None
    assert "there" in set(expected.table.region)
    same(run(write_script(described), tmp_path)["clusters_z"], expected.table)


def test_an_empty_viewer(viewer: Any) -> None:
    viewer.add_image(np.ones(SHAPE))
    described = describe(viewer)
    assert described.sources == described.maps == described.clusters == ()
    assert write_script(described) == "import napari_neurosynth_results as nnr\n"
