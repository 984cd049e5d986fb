"""The folder of a batch: what is in it is whole, so that a stopped batch can go on."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from napari_neurosynth_results.batch.inputs import BatchSource
from napari_neurosynth_results.batch.one_source import DONE, Answer, Record
from napari_neurosynth_results.batch.request import BatchRequest
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    open_for_text,
    put_text,
    write_folder,
    write_text,
    write_whole,
)
from napari_neurosynth_results.export.escaping import harmless_cell

SOURCES = "sources"
_ABOUT = "batch.json"
_RECORD = "record.json"
_SAVING = ".saving-"
_SUMMARY = (
    *("source", "title", "status", "maps", "n_clusters", "seconds", "sentence"),
    "notices",
)
_FAILURES = ("source", "title", "map", "sentence")
#: What tables begin with when no source has any row.
_FIRST = ("source", "title", "map")


@contextmanager
def lock_folder(path: str) -> Iterator[None]:
    """Keep other batches out of a folder, which is made when it is not there.

    A lock of the system: it is gone when the process is, however that ends. Windows has
    none of this kind, nor have some network drives.

    Raises
    ------
    ResultsError
        When another batch is at work there.
    """
    handle = _acquire_lock(path)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _acquire_lock(path: str) -> int | None:
    try:
        import fcntl
    except ImportError:
        return None
    try:
        os.makedirs(path, exist_ok=True)
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None  # Whoever writes there says what is wrong.
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ResultsError(
            f"Another batch is running in {path}. Wait until it is done, or choose "
            "another name."
        ) from None
    except OSError:
        pass
    return handle


class BatchFolder:
    """Where a batch keeps its answers.

    Parameters
    ----------
    path : str
        The folder; made when it is not there.
    again : bool
        Forget all answers that are there.

    Raises
    ------
    ResultsError
        When the folder holds something else, or answers to another question.
    """

    def __init__(
        self, path: str, request: BatchRequest, *, again: bool = False
    ) -> None:
        self.path = os.path.abspath(path)
        self._request = request
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise ResultsError(f"{path} is a file. Choose another name.")
        try:
            os.makedirs(self.path, exist_ok=True)
            self._claim(again)
            os.makedirs(self._at(SOURCES), exist_ok=True)
            self._sweep()
        except OSError as error:
            raise ResultsError(
                f"{path} cannot be written: {error.strerror}."
            ) from error

    def _claim(self, again: bool) -> None:
        """Make sure that this is a folder of ours, and about this question."""
        about = self._at(_ABOUT)
        asked = json.dumps(self._request.document, indent=2)
        if not os.path.lexists(about):
            if any(not name.startswith(_SAVING) for name in os.listdir(self.path)):
                raise ResultsError(
                    f"{self.path} holds other files. Choose another name."
                )
        elif _read(about) != json.loads(asked) and not again:
            raise ResultsError(
                f"{self.path} holds the answers to another question, or from "
                "another version of this package. Choose another name, or --again "
                "(resume=False) to start over."
            )
        if again:
            # Also what is not listed now: it answered another question, and whoever
            # goes on must not take it for an answer to this one.
            shutil.rmtree(self._at(SOURCES), ignore_errors=True)
        write_text(about, asked + "\n", overwrite=True)

    def _sweep(self) -> None:
        """Take away what a process that was killed had begun to write."""
        for folder in (self.path, self._at(SOURCES)):
            for name in os.listdir(folder):
                if name.startswith(_SAVING):
                    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)

    def _at(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def record_of(self, source: BatchSource) -> Record | None:
        """Return how a source went, if it was asked already."""
        document = _read(self._at(SOURCES, source.name, _RECORD))
        with suppress(TypeError, ValueError, KeyError):
            # As it is listed now, which may be by another path.
            return replace(Record.from_document(document), source=source.shown)
        return None

    def is_done(self, source: BatchSource) -> bool:
        """Tell whether a source need not be asked again: whole, and not changed."""
        record = self.record_of(source)
        return (
            record is not None
            and record.status == DONE
            and record.stamp == source.stamp()
        )

    def save(self, answer: Answer) -> Record:
        """Write what a source answered, all at once.

        Returns
        -------
        Record
            Its record.

        Raises
        ------
        ResultsError
            When the folder cannot be written.
        """
        target = self._at(SOURCES, answer.record.name)
        texts = dict(answer.tables)
        texts[_RECORD] = json.dumps(answer.record.document, indent=2) + "\n"

        def fill(partial: str) -> None:
            for name, text in texts.items():
                put_text(os.path.join(partial, name), text)

        shutil.rmtree(target, ignore_errors=True)
        write_folder(target, fill)
        return answer.record

    def has_table(self, record: Record, name: str) -> bool:
        """Tell whether a source has a table of this name."""
        return os.path.isfile(self._at(SOURCES, record.name, name))

    def merge(self, sources: Sequence[BatchSource]) -> list[Record]:
        """Write the tables over all sources, in the order of the list.

        Parameters
        ----------
        sources : sequence of BatchSource
            All sources of the batch.

        Returns
        -------
        list of Record
            One a source.

        Raises
        ------
        ResultsError
            When a table cannot be written.
        """
        records = [
            self.record_of(source) or Record.failure(source, "It was not opened.")
            for source in sources
        ]
        for name in self._request.tables:
            paths = [
                self._at(SOURCES, record.name, name)
                for record in records
                if self.has_table(record, name)
            ]
            self._write_rows(name, _columns(paths) or _FIRST, _rows(paths))
        self._write_rows("summary.tsv", _SUMMARY, map(_summary_row, records))
        failures = (
            {
                "source": record.source,
                "title": record.title,
                "map": where,
                "sentence": why,
            }
            for record in records
            for where, why in record.failures
        )
        self._write_rows("failures.tsv", _FAILURES, map(_harmless_row, failures))
        return records

    def write_page(self, text: str) -> None:
        """Write the page that shows it all."""
        write_text(self._at("index.html"), text, overwrite=True)

    def _write_rows(
        self, name: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]
    ) -> None:
        def fill(partial: str) -> None:
            with open_for_text(partial) as file:
                writer = csv.DictWriter(
                    file, columns, delimiter="\t", lineterminator="\n", restval=""
                )
                writer.writeheader()
                writer.writerows(rows)

        write_whole(self._at(name), fill, overwrite=True)


def _summary_row(record: Record) -> dict[str, Any]:
    row = {column: getattr(record, column) for column in _SUMMARY}
    row["maps"] = ", ".join(record.maps)
    row["notices"] = " | ".join(record.notices)
    return _harmless_row(row)


def _harmless_row(row: dict[str, Any]) -> dict[str, Any]:
    return {column: harmless_cell(value) for column, value in row.items()}


def _columns(paths: Sequence[str]) -> list[str]:
    """Gather the columns of all tables, those of the first one first."""
    columns: dict[str, None] = {}
    for path in paths:
        with open(path, encoding="utf-8", newline="") as file:
            columns |= dict.fromkeys(next(csv.reader(file, delimiter="\t"), []))
    return list(columns)


def _rows(paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Read one table after the other: there may be more rows than fit in memory."""
    for path in paths:
        with open(path, encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, delimiter="\t")


def _read(path: str) -> Any:
    """Read a document; None when it is not there, or damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None
