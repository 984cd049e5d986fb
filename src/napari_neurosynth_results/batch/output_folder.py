"""The folder of a batch: what is in it is whole, so that a stopped batch can go on."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from napari_neurosynth_results.batch.inputs import BatchSource
from napari_neurosynth_results.batch.one_source import DONE, Answer, Record
from napari_neurosynth_results.batch.request import BatchRequest
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import (
    already_exists,
    checked_name,
    is_scratch,
    open_for_text,
    put_text,
    sweep_leftovers,
    text_bytes,
    write_folder,
    write_text,
    write_together,
    write_whole,
)
from napari_neurosynth_results.export.escaping import harmless_cell
from napari_neurosynth_results.export.provenance import PACKAGE
from napari_neurosynth_results.sources.placeholders import load_json, read_at_most

SOURCES = "sources"
_ABOUT = "batch.json"
_RECORD = "record.json"
#: Where a record has the check sums of the tables beside it.
_SUMS = "tables"
_TABLES = ("clusters.tsv", "parts.tsv", "regions.tsv", "studies.tsv")
#: All that a batch writes into its folder, and into that of a source. Nothing else in
#: them is ever changed or taken away.
_OF_BATCH = (_ABOUT, *_TABLES, "summary.tsv", "failures.tsv", "index.html")
_OF_SOURCE = (*_TABLES, _RECORD)
#: The folder of a source, as `BatchSource.name` has it.
_SOURCE_NAME = re.compile(r".+-[0-9a-f]{16}")
#: Far above any document of ours.
_MOST_BYTES = 64 << 20
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
        self.path = os.path.abspath(checked_name(path))
        self._request = request
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise ResultsError(f"{path} is a file. Choose another name.")
        try:
            os.makedirs(self.path, exist_ok=True)
            sweep_leftovers(self.path)
            self._claim(again)
            os.makedirs(self._at(SOURCES), exist_ok=True)
            sweep_leftovers(self._at(SOURCES))
        except OSError as error:
            raise ResultsError(
                f"{path} cannot be written: {error.strerror}."
            ) from error

    def _claim(self, again: bool) -> None:
        """Make sure that this is a folder of ours, and about this question."""
        about = self._at(_ABOUT)
        # As it is read back: a pair becomes a list.
        asked = json.loads(json.dumps(self._request.document))
        document = {
            **asked,
            "made_by": PACKAGE,
            "files": [*_OF_BATCH, *(f"{SOURCES}/*/{name}" for name in _OF_SOURCE)],
        }
        text = json.dumps(document, indent=2) + "\n"
        if not os.path.lexists(about):
            if any(not is_scratch(name) for name in os.listdir(self.path)):
                raise ResultsError(
                    f"{self.path} holds other files. Choose another name."
                )
            write_text(about, text, overwrite=False)
            return
        found = _read(about)
        if not isinstance(found, dict) or found.get("made_by") != PACKAGE:
            raise ResultsError(
                f"{about} was not written by this version of this package, so the "
                "folder is left as it is. Choose another name."
            )
        if found != document and not again:
            raise ResultsError(
                f"{self.path} holds the answers to another question, or from "
                "another version of this package. Choose another name, or --again "
                "(resume=False) to start over."
            )
        if again:
            self._forget()
            write_text(about, text, overwrite=True)

    def _forget(self) -> None:
        """Take away all answers, and nothing that is not one.

        Also those of sources that are not listed now: they answered another question,
        and whoever goes on must not take them for answers to this one.
        """
        sources = self._at(SOURCES)
        if os.path.isdir(sources) and not os.path.islink(sources):
            for name in os.listdir(sources):
                folder = os.path.join(sources, name)
                if _SOURCE_NAME.fullmatch(name) and not os.path.islink(folder):
                    # The record first: what has none is no answer.
                    _remove_files(folder, reversed(_OF_SOURCE))
                    with suppress(OSError):  # Somebody keeps other files there.
                        os.rmdir(folder)
        _remove_files(self.path, [name for name in _OF_BATCH if name != _ABOUT])

    def _at(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def record_of(self, source: BatchSource) -> Record | None:
        """Return how a source went, if it was asked already.

        None also where its record or a table is not what was written: it is asked again
        then, instead of mixing what nobody found with what was.
        """
        document = _read(self._at(SOURCES, source.name, _RECORD))
        if not isinstance(document, dict):
            return None
        sums = document.pop(_SUMS, None)
        there = {name: self._at(SOURCES, source.name, name) for name in _TABLES}
        with suppress(OSError, TypeError, ValueError, KeyError):
            # A folder of that name is somebody else's, and a pipe has no end.
            found = {n: _sum(path) for n, path in there.items() if os.path.isfile(path)}
            if found == sums:
                record = Record.from_document(document)
                # As it is listed now, which may be by another path.
                return replace(record, source=source.shown, name=source.name)
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
        sums = {
            name: hashlib.sha256(text_bytes(text)).hexdigest()
            for name, text in answer.tables.items()
        }
        document = answer.record.document | {_SUMS: sums}
        texts[_RECORD] = json.dumps(document, indent=2) + "\n"

        def fill(folder: str) -> None:
            for name, text in texts.items():
                put_text(os.path.join(folder, name), text)

        if not os.path.lexists(target):
            write_folder(target, fill)
            return answer.record
        if os.path.islink(target) or not os.path.isdir(target):
            raise already_exists(target)
        # Without its record first, and with it last: what is half done is no answer.
        _remove_files(target, reversed(_OF_SOURCE))
        write_together(
            {
                os.path.join(target, name): partial(_put, text)
                for name, text in texts.items()
            },
            overwrite=False,
        )
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
        def fill(part: str) -> None:
            with open_for_text(part) as file:
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


def _sum(path: str) -> str:
    """Return the check sum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put(text: str, path: str) -> None:
    put_text(path, text)


def _remove_files(folder: str, names: Iterable[str]) -> None:
    """Take away files, or links of their names; a folder of that name stays."""
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path) or os.path.islink(path):
            os.remove(path)


def _read(path: str) -> Any:
    """Read a document; None when it is not there, damaged, or no file."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _MOST_BYTES:
            return None
        with open(path, "rb") as file:
            return load_json(read_at_most(file, _MOST_BYTES))
    except (OSError, ValueError):
        return None
