"""Many results, a few broken, one worker killed: the table is right all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest
from scipy import ndimage

from conftest import AFFINE
from helpers.batches import blob, read, records, wait_until

_COMMAND = (
    "import sys; from napari_neurosynth_results.cli import main; sys.exit(main())"
)
N = 60
#: How a result is broken, by its number.
BROKEN = {7: "cut", 22: "text", 41: "gone"}


def put(folder: Path, number: int) -> int:
    """Write a result; count the clusters that it has, by scipy."""
    z = blob(4 + number % 7, 1 + number % 4)
    if number % 2:
        z = np.maximum(z, np.flip(z, axis=0))
    image = nib.Nifti1Image(z.astype(np.float32), AFFINE)
    folder.mkdir(exist_ok=True)
    image.to_filename(folder / "z.nii.gz")
    return int(ndimage.label(z >= 3.0903)[1])


def damage(folder: Path, how: str) -> None:
    path = folder / "z.nii.gz"
    content = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "text":
        path.write_text("no image")


def workers_of(running: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(running.pid).children(recursive=True)
    return [one for one in children if "spawn_main" in " ".join(one.cmdline())]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_worker_and_broken_results_leave_the_right_table(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sources = [tmp_path / f"r{number:03d}" for number in range(N)]
    expected = {str(path): put(path, n) for n, path in enumerate(sources)}
    for number, how in BROKEN.items():
        damage(sources[number], how)
        del expected[str(sources[number])]
    listed, out = tmp_path / "list.txt", tmp_path / "out"
    listed.write_text("\n".join(map(str, sources)), encoding="utf-8")
    arguments = ["batch", str(listed), "--out", str(out), "--p", ".001"]
    command = [sys.executable, "-c", _COMMAND, *arguments, "--workers", "2"]

    def look(expected: dict[str, int], n_broken: int) -> None:
        summary, clusters = read(out / "summary.tsv"), read(out / "clusters.tsv")
        assert summary["source"].tolist() == list(map(str, sources))
        done = summary[summary["status"] == "done"]
        assert done["source"].tolist() == list(expected)
        assert done["n_clusters"].astype(int).tolist() == list(expected.values())
        found = clusters["source"].value_counts(sort=False)
        assert found.to_dict() == expected
        failures = read(out / "failures.tsv")
        broken = [str(path) for path in sources if str(path) not in expected]
        assert failures["source"].tolist() == broken
        assert len(broken) == n_broken

    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    request.addfinalizer(running.kill)
    wait_until(lambda: len(records(out)) > N // 6 or running.poll() is not None)
    os.kill(workers_of(running)[0].pid, signal.SIGKILL)
    said, errors = running.communicate(timeout=120)
    assert (running.returncode, "3 with failures" in said) == (1, True), errors
    look(expected, 3)
    # What failed is mended, and asked again by the same command; `--again` asks all.
    for number in BROKEN:
        put(sources[number], number)
    expected = {str(path): put(path, n) for n, path in enumerate(sources)}
    tables: list[bytes] = []
    for more in ([], ["--again"]):
        again = subprocess.run([*command, *more], capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        look(expected, 0)
        tables.append((out / "clusters.tsv").read_bytes())
    assert tables[0] == tables[1]
    left = {path.name for path in out.iterdir()}
    assert not [name for name in left if name.startswith(".saving")]


@pytest.mark.skipif(
    not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names,
    reason="mallopt, which keeps it, is glibc's",
)
def test_a_worker_uses_the_memory_of_the_result_before() -> None:
    # As many as a result has maps, each as large as one of 2 mm.
    code = """
import resource, sys
import numpy as np
from napari_neurosynth_results.batch import local_workers

def asked():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "worker":
    local_workers._initialize_worker()
for last in (False, True):
    before = asked()
    for _ in range(1 + 9 * last):
        kept = [np.ones(900_000, np.float32) for _ in range(6)]
        del kept
print(asked() - before)
"""
    pages = [
        int(subprocess.check_output([sys.executable, "-c", code, who]))
        for who in ("worker", "bare")
    ]
    assert pages[0] < pages[1] / 10
