"""One source of a batch, opened and asked: what a worker does."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_neurosynth_results.api import contributors, open_atlas, open_results
from napari_neurosynth_results.api.map_requests import map_clusters, not_opened
from napari_neurosynth_results.api.studies import leave_out_each
from napari_neurosynth_results.batch.inputs import BatchSource
from napari_neurosynth_results.batch.request import BatchRequest
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import one_line, without_formulas
from napari_neurosynth_results.export.tables.clusters import (
    clusters_table,
    regions_table,
    studies_table,
)
from napari_neurosynth_results.maps.entry import EVERY_MAP
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.sources.web.servers import Servers
from napari_neurosynth_results.statistics.clusters.active_parts import (
    find_active_parts,
)
from napari_neurosynth_results.statistics.clusters.cluster_set import ClusterSet
from napari_neurosynth_results.statistics.studies.leave_one_out import (
    SURVIVAL_COLUMNS,
    LeaveOneOut,
)

if TYPE_CHECKING:
    import pandas as pd

DONE, PARTLY, FAILED = "done", "partly", "failed"


@dataclass(frozen=True)
class Record:
    """How one source went; no token is in it.

    Attributes
    ----------
    source, name, title : str
        What was listed, the folder of its files, and what the result calls itself.
    status : str
        ``done``, ``partly`` (some maps could not be answered) or ``failed``.
    maps : tuple of str
        The maps whose clusters were found.
    n_clusters : int
        Of all those maps.
    seconds : float
        What it took.
    sentence : str
        What was applied and found, or why nothing was.
    failures : tuple of pair of str
        Map or pattern (empty for the source itself), and what went wrong.
    notices : tuple of str
        What has to be known to read the tables.
    stamp : str
        What was on disk when it was opened.
    kinds : tuple of str
        The maps that were taken for what the user says that they hold.
    """

    source: str
    name: str
    title: str = ""
    status: str = FAILED
    maps: tuple[str, ...] = ()
    n_clusters: int = 0
    seconds: float = 0.0
    sentence: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    stamp: str = ""
    kinds: tuple[str, ...] = ()

    @classmethod
    def failure(cls, source: BatchSource, sentence: str, **more: Any) -> Self:
        """Say that nothing came of a source, and why."""
        return cls(
            source.shown,
            source.name,
            sentence=sentence,
            failures=(("", sentence),),
            **more,
        )

    @property
    def document(self) -> dict[str, Any]:
        """The record for a file."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a record back.

        Raises
        ------
        TypeError, ValueError, KeyError
            When it is not one.
        """
        made = cls(**document)
        numbers = (made.n_clusters, made.seconds)
        texts = [made.source, made.name, made.title, made.status, made.sentence]
        texts += [made.stamp, *made.maps, *made.notices, *made.kinds]
        if not (
            all(isinstance(text, str) for text in texts)
            and all(isinstance(number, int | float) for number in numbers)
            and made.status in (DONE, PARTLY, FAILED)
        ):
            raise TypeError("not the record of a source")
        return replace(
            made,
            maps=tuple(made.maps),
            failures=tuple((str(where), str(why)) for where, why in made.failures),
            notices=tuple(made.notices),
            kinds=tuple(made.kinds),
        )


@dataclass(frozen=True)
class Answer:
    """What one source answered: its record, and its tables as text."""

    record: Record
    tables: Mapping[str, str]


def ask_source(source: BatchSource, request: BatchRequest) -> Answer:
    """Open a source and find the clusters that are asked.

    Returns
    -------
    Answer
        Whatever goes wrong is in its record: one bad source stops no other.
    """
    start = time.perf_counter()
    online = Servers.from_environment()
    stamp = source.stamp()
    try:
        told = _AnswerBuilder(source, request, online)
        record = told.record
        tables = told.tables
    except Exception as error:
        sentence = source.without_tokens(_describe_error(error), online)
        record, tables = Record.failure(source, sentence), {}
    seconds = round(time.perf_counter() - start, 3)
    return Answer(replace(record, seconds=seconds, stamp=stamp), tables)


def _describe_error(error: Exception) -> str:
    """Say what went wrong; what nobody foresaw is named by its type."""
    if isinstance(error, ResultsError):
        return str(error)
    return f"{type(error).__name__}: {error}"


class _AnswerBuilder:
    """A result while it is asked: gathers tables, sentences and failures."""

    def __init__(
        self, source: BatchSource, request: BatchRequest, online: Servers
    ) -> None:
        self._source, self._request, self._online = source, request, online
        self._n_clusters = 0
        #: By the names of their files; of each map one.
        self._tables: dict[str, list[pd.DataFrame]] = {}
        self._sentences: list[str] = []
        self._failures: list[tuple[str, str]] = []
        self._notices: list[str] = []
        results = open_results(source.text)
        # Not every result has each of these maps.
        known = {*results.maps, EVERY_MAP}
        stated = {k: v for k, v in request.kinds if k in known}
        results.take_as(stated)
        self._kinds = tuple(stated)
        self._title = self._clean(results.title)
        keys, missing = request.choose(results)
        holds = ", ".join(results.maps) or "none"
        problems = "".join(f" {problem}" for problem in not_opened(results))
        for pattern in missing:
            there = f"There is no map {pattern}. There are: {holds}.{problems}"
            self._fail(pattern, there)
        answered = [key for key in keys if self._ask(results, key)]
        self._maps = tuple(map(self._clean, answered))
        self._notices += results.problems

    @property
    def record(self) -> Record:
        """How it went."""
        status = DONE if not self._failures else PARTLY if self._maps else FAILED
        told = [*self._sentences, *(why for _, why in self._failures)]
        return Record(
            self._source.shown,
            self._source.name,
            self._title,
            status,
            self._maps,
            self._n_clusters,
            sentence=one_line(" ".join(told)),
            failures=tuple(self._failures),
            notices=tuple(dict.fromkeys(map(self._clean, self._notices))),
            kinds=self._kinds,
        )

    @property
    def tables(self) -> dict[str, str]:
        """The tables as text, by the names of their files."""
        return {name: _text(parts) for name, parts in self._tables.items()}

    def _ask(self, results: ResultSet, key: str) -> bool:
        """Find the clusters of one map; return whether that was possible."""
        request, statmap = self._request, results[key]
        try:
            clusters = map_clusters(
                results,
                statmap,
                request.map_request.for_kind(statmap.kind),
                atlas=open_atlas(request.atlas) if request.atlas else None,
            )
            left_out = self._leave_out(results, key, clusters)
            if left_out is not None:
                clusters = left_out.add_to(clusters)
            table = clusters_table(clusters)
            if request.leave_one_out and left_out is None:
                table = _with_unknown_survival(table)
            told = [*clusters.notices, *clusters.whose_p, f"{clusters.proven}."]
            told += [f"{one}." for one in clusters.effects.attrs["notices"]]
            # What is said of the whole result is said once.
            whole = frozenset(results.problems)
            told = [one if one in whole else f"{key}: {one}" for one in told]
            self._notices += told
            parts = self._find_parts(key, clusters)
            regions = regions_table(clusters) if request.regions else None
            if request.studies:
                self._ask_studies(results, key, clusters, left_out)
        except Exception as error:
            self._fail(key, _describe_error(error))
            return False
        table["threshold"] = str(clusters.threshold)
        self._add("clusters.tsv", table, key)
        for name, more in (("parts.tsv", parts), ("regions.tsv", regions)):
            if more is not None:
                self._add(name, more, key)
        self._n_clusters += len(table)
        self._sentences.append(self._clean(f"{key}: {clusters}."))
        return True

    def _find_parts(self, key: str, clusters: ClusterSet) -> pd.DataFrame | None:
        """Find parts of which a share is active, or say why nobody can."""
        if self._request.active_parts is None:
            return None
        try:
            return find_active_parts(clusters, self._request.active_parts).table
        except ResultsError as error:
            self._notices.append(f"{key}: no active parts. {error}")
            return None

    def _leave_out(
        self, results: ResultSet, key: str, clusters: ClusterSet
    ) -> LeaveOneOut | None:
        """Leave experiments out where that is asked; say where it cannot be done."""
        if not self._request.leave_one_out:
            return None
        try:
            found = leave_out_each(results, clusters)
        except ResultsError as error:
            self._notices.append(f"{key}: no experiment was left out. {error}")
            return None
        self._notices += found.notices
        return found

    def _ask_studies(
        self,
        results: ResultSet,
        key: str,
        clusters: ClusterSet,
        left_out: LeaveOneOut | None,
    ) -> None:
        behind = contributors(results, clusters, left_out=left_out)
        if behind:
            self._add("studies.tsv", studies_table(behind), key)
        self._notices += behind.notices or ["No studies are known."]

    def _add(self, name: str, table: pd.DataFrame, key: str) -> None:
        self._tables.setdefault(name, []).append(self._tidy(table, key))

    def _tidy(self, table: pd.DataFrame, key: str) -> pd.DataFrame:
        """Say in each row what it is about, and make its texts harmless."""
        for place, (column, text) in enumerate(
            (("source", self._source.shown), ("title", self._title), ("map", key))
        ):
            table.insert(place, column, text)
        for column in table.columns:
            if table[column].dtype == object or str(table[column].dtype) == "str":
                table[column] = [
                    self._clean(cell) if isinstance(cell, str) else cell
                    for cell in table[column]
                ]
        return without_formulas(table)

    def _fail(self, where: str, why: str) -> None:
        self._failures.append((self._clean(where), self._clean(why)))

    def _clean(self, text: str) -> str:
        return self._source.without_tokens(text, self._online)


def _with_unknown_survival(table: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that all maps of a batch have, where they are not known."""
    import pandas as pd

    # Where they stand in the table of clusters that were looked for.
    place = table.columns.tolist().index("region_mm") + 1
    for column, kind in reversed(SURVIVAL_COLUMNS.items()):
        unknown = np.nan if kind == "float64" else pd.NA
        table.insert(place, column, pd.Series(unknown, table.index, dtype=kind))
    return table


def _text(parts: list[pd.DataFrame]) -> str:
    """Write tables of the same columns below each other."""
    written = io.StringIO()
    for index, part in enumerate(parts):
        part.to_csv(
            written, sep="\t", index=False, header=not index, lineterminator="\n"
        )
    return written.getvalue()
