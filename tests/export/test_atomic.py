"""A name that is taken is never given away, whatever happens and whenever."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export import atomic
from napari_neurosynth_results.export.atomic import (
    put_text,
    save_together,
    write_folder,
    write_text,
    write_together,
    write_whole,
)

PRECIOUS = "years of work"
posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows lacks pipes, SIGKILL, free links"
)


def _one(path: Path, meanwhile: Callable[[], object], *, overwrite: bool) -> None:
    def write(part: str) -> None:
        put_text(part, "new")
        meanwhile()

    write_whole(str(path), write, overwrite=overwrite)


def _last_of_two(
    path: Path, meanwhile: Callable[[], object], *, overwrite: bool
) -> None:
    def write(part: str) -> None:
        put_text(part, "new")
        meanwhile()

    first = path.with_name("first")
    writers = {str(first): lambda part: put_text(part, "new"), str(path): write}
    write_together(writers, overwrite=overwrite)


def _folder(path: Path, meanwhile: Callable[[], object], *, overwrite: bool) -> None:
    def write(part: str) -> None:
        put_text(os.path.join(part, "new"), "new")
        meanwhile()

    write_folder(str(path), write)


@pytest.fixture(params=["links", "no links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write to a file system as it is, and as one that has no hard links."""

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if request.param == "no links":
        monkeypatch.setattr(atomic.os, "link", refused)


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("write", [_one, _last_of_two, _folder])
def test_what_appears_meanwhile_is_kept(
    write: Callable[..., None], overwrite: bool, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    with pytest.raises(ResultsError, match="exists already"):
        write(path, lambda: path.write_text(PRECIOUS), overwrite=overwrite)
    assert path.read_text() == PRECIOUS
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.usefixtures("links")
def test_a_folder_that_is_filled_meanwhile_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()

    def write(part: str) -> None:
        put_text(os.path.join(part, "new"), "new")
        (folder / "mine").write_text(PRECIOUS)

    with pytest.raises(ResultsError, match="exists already"):
        write_folder(str(folder), write, over_empty=True)
    assert os.listdir(tmp_path) == ["f"]
    assert os.listdir(folder) == ["mine"]


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("write", [_one, _last_of_two, _folder])
def test_of_several_that_write_one_name_one_succeeds(
    write: Callable[..., None], tmp_path: Path
) -> None:
    n = 8
    barrier, told = Barrier(n), []

    def run() -> None:
        try:
            write(tmp_path / "f", barrier.wait, overwrite=False)
            told.append("wrote")
        except ResultsError as error:
            told.append(str(error))

    threads = [Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("wrote") == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@posix
@pytest.mark.parametrize("there", [False, True])
def test_a_link_is_refused_or_followed_and_never_replaced(
    there: bool, tmp_path: Path
) -> None:
    far = tmp_path / "far"
    far.mkdir()
    target, link = far / "target", tmp_path / "link"
    if there:
        target.write_text("old")
    link.symlink_to(target)
    with pytest.raises(ResultsError, match="link exists already"):
        write_text(str(link), "new", overwrite=False)
    write_text(str(link), "new", overwrite=True)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert (os.listdir(far), sorted(os.listdir(tmp_path))) == (
        ["target"],
        ["far", "link"],
    )


@posix
def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    pipe, folder, loop = (tmp_path / name for name in ("pipe", "folder", "loop"))
    os.mkfifo(pipe)
    folder.mkdir()
    loop.symlink_to(loop)
    (tmp_path / "null").symlink_to("/dev/null")
    for path in (pipe, folder, loop, tmp_path / "null"):
        with pytest.raises(ResultsError, match="is no file to replace"):
            write_text(str(path), "new", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["folder", "loop", "null", "pipe"]


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize("write", [_one, _folder])
def test_a_name_that_no_system_takes_is_told(
    write: Callable[..., None], name: str, tmp_path: Path
) -> None:
    if sys.platform == "win32" and "\0" not in name:
        pytest.skip("Windows allows lone surrogates in names")
    with pytest.raises(ResultsError, match="No file can be called"):
        write(tmp_path / name, lambda: None, overwrite=False)


@pytest.mark.usefixtures("links")
def test_files_that_are_replaced_are_there_all_the_time(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("old")
    real, seen = os.replace, []

    def look(source: str, target: str) -> None:
        seen.append([path.exists() for path in paths])
        real(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic.os, "replace", look)
        writers = {str(p): lambda part: put_text(part, "new") for p in paths}
        write_together(writers, overwrite=True)
    assert seen == [[True, True]] * 2
    assert [path.read_text() for path in paths] == ["new", "new"]


KILLED = """
import os, signal, sys
from napari_neurosynth_results.export.atomic import put_text, write_whole
def write(part):
    put_text(part, "half")
    os.kill(os.getpid(), signal.SIGKILL)
write_whole(sys.argv[1], write, overwrite=False)
"""


@posix
def test_what_a_killed_process_leaves_goes_with_the_next_one(tmp_path: Path) -> None:
    # Neither is ours: another machine may be at work in it, and somebody's own folder.
    kept = [".saving-nnr-elsewhere-1-0123456789abcdef", ".saving-mine"]
    for name in kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text(PRECIOUS)
    target = str(tmp_path / "f")
    done = subprocess.run([sys.executable, "-c", KILLED, target], check=False)
    assert done.returncode == -signal.SIGKILL
    left = set(os.listdir(tmp_path)) - set(kept)
    assert len(left) == 1
    assert all(map(atomic.is_scratch, left))
    write_text(str(tmp_path / "other"), "new", overwrite=False)
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "other"])


def test_what_another_thread_is_writing_is_left_to_it(tmp_path: Path) -> None:
    def meanwhile() -> None:
        write_text(str(tmp_path / "b"), "new", overwrite=False)

    _one(tmp_path / "a", meanwhile, overwrite=False)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, flushed = os.fsync, []

    def fsync(handle: int) -> None:
        flushed.append((os.fstat(handle).st_ino, sorted(os.listdir(tmp_path))))
        real(handle)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    write_text(str(tmp_path / "a"), "new", overwrite=False)
    _folder(tmp_path / "b", lambda: None, overwrite=False)
    at = dict(flushed)
    assert "a" not in at[(tmp_path / "a").stat().st_ino]
    assert "b" not in at[(tmp_path / "b" / "new").stat().st_ino]
    if sys.platform != "win32":
        # And the name itself.
        assert at[tmp_path.stat().st_ino][-1] == "b"


@pytest.mark.parametrize("fault", ["refused", "taken meanwhile", "full"])
def test_files_in_several_folders_are_all_there_or_none(
    tmp_path: Path, fault: str
) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    table, figure = folders[0] / "t.tsv", folders[1] / "f.png"

    def save_table(path: str) -> None:
        Path(path).write_text("table")
        Path(path).with_suffix(".json").write_text("{}")

    def save_figure(path: str) -> None:
        if fault == "refused":
            raise ResultsError(f"{path} cannot be drawn.")
        if fault == "full":
            raise OSError(28, "No space left on device")
        Path(path).write_text("figure")
        figure.write_text("mine")

    with pytest.raises(ResultsError) as told:
        save_together({str(table): save_table, str(figure): save_figure})
    assert str(figure) in str(told.value)
    assert "saving-nnr" not in str(told.value)
    left = [path.name for folder in folders for path in folder.iterdir()]
    assert left == ["f.png"] * (fault == "taken meanwhile")
    save_together({str(table): save_table})
    assert sorted(path.name for path in folders[0].iterdir()) == ["t.json", "t.tsv"]
