"""What a file's name says of its voxels, program by program: a table, one row a name.

The whole name is read, because words before the value change its meaning: ``log_p`` is
no p, ``corrp`` of FSL is 1 - p, ``cluster_mask_zstat1`` numbers clusters. The rows,
in ``programs.tsv``, were read off the programs' sources and files (NiMARE 0.0.1 to
0.22, Neurosynth 0.3 to 0.3.8 and its site, nilearn 0.9 to 0.14, FSL 6, PALM, SPM12,
SnPM, the TFCE toolbox, CAT12, AFNI, FreeSurfer 7, NIDM-Results exporters) and, for
GingerALE and SDM-PSI, off their manuals and users' files. ``docs/kinds.md`` is made of
this table.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.kinds import (
    INTENT_KINDS,
    MAP_TYPE_KINDS,
    VALUE_KINDS,
    MapKind,
    Tail,
)
from napari_neurosynth_results.maps.names import MapName, parse_name, split_extension


@dataclass(frozen=True)
class NameRow:
    """A row of the table: how a program names a file, and what that file holds.

    Attributes
    ----------
    program : str
        Who writes such files.
    example : str
        A name it gives, without extension.
    pattern : str
        Regular expression that is found in the names of such files, without their
        extension.
    kind : str
        Short name of the kind; empty where only the header tells.
    tail : Tail, optional
        Whether p counts both directions; None where the name leaves it open.
    correction : str
        What the values are corrected for: ``none``, ``FWE``, ``FDR``; empty if unknown.
    level : str
        ``voxel`` or ``cluster`` for corrected values.
    cut : str
        By what the map was thresholded, in words; empty for whole maps.
    note : str
        What has to be known to read the values.
    """

    program: str
    example: str
    pattern: str
    kind: str
    tail: Tail | None = None
    correction: str = ""
    level: str = ""
    cut: str = ""
    note: str = ""


_TABLE = Path(__file__).with_name("programs.tsv")
#: Whose names have a grammar: what is read before and after it is told by the order.
_NIMARE = "NiMARE"


@cache
def name_rows() -> tuple[NameRow, ...]:
    """Return the table, in the order in which names are tried.

    Rows of NiMARE have no pattern, because its names follow a grammar: they are
    examples, and where they stand that grammar is tried.
    """
    with _TABLE.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(
            NameRow(
                tail=Tail(line["tail"]) if line["tail"] else None,
                **{name: text for name, text in line.items() if name != "tail"},
            )
            for line in lines
        )


@cache
def _patterns() -> tuple[tuple[re.Pattern[str] | None, NameRow], ...]:
    rows = name_rows()
    first = next(row for row in rows if row.program == _NIMARE)
    return tuple(
        (re.compile(row.pattern) if row.pattern else None, row)
        for row in rows
        if row.pattern or row is first
    )


#: NiMARE's fetcher writes these before names, which may be anybody's.
_FETCHED = re.compile(r"^collection-[^_]+_id-[^_]+_(?=.)")


@dataclass(frozen=True)
class Reading:
    """What a map is taken for before its voxels are asked, and on whose word.

    Attributes
    ----------
    kind : MapKind
        What the numbers are.
    name : MapName, optional
        The parsed name, where it is NiMARE's.
    program : str
        Whose name it is; empty when no name told.
    word : str
        Whose word the kind is: ``name``, ``NeuroVault``, ``header``, ``user`` or empty.
    tail : Tail, optional
        What is known of it; None leaves it to NiMARE's habits, or to a guess.
    correction, level : str, optional
        Of the values: ``FWE``, ``FDR``, ``none``; ``voxel``, ``cluster``. None leaves
        it to NiMARE's name, or to nobody.
    cut : str
        By what the map was thresholded before, in words; empty when nothing says so.
    note : str
        What has to be known to read the values.
    dof : float or pair of float, optional
        Degrees of freedom that a user states; None leaves them to the header.
    whole : bool
        Whether a user says that nothing was cut away, however few values are left.
    to_mni : bool
        Whether a user asks for it to be moved from Talairach to MNI space.
    """

    kind: MapKind
    name: MapName | None = None
    program: str = ""
    word: str = ""
    tail: Tail | None = None
    correction: str | None = None
    level: str | None = None
    cut: str = ""
    note: str = ""
    dof: float | tuple[float, float] | None = None
    whole: bool = False
    to_mni: bool = False


def reading_of(
    filename: str,
    intent_code: int = 0,
    map_type: str = "",
    *,
    from_server: bool = False,
) -> Reading:
    """Say what a map holds, the surest evidence first.

    Parameters
    ----------
    filename : str
        Base name with or without extension.
    intent_code : int
        Intent code of the NIfTI header, 0 when there is none.
    map_type : str
        NeuroVault's word. It comes after the file name, because Neurosynth Compose sets
        it by the first letter of that name alone: ``prob`` maps are called P maps.
    from_server : bool
        Whether NeuroVault gave the file its name, which it makes unique.

    Returns
    -------
    Reading
        Of ``MapKind.OTHER`` when nothing tells.

    Examples
    --------
    >>> reading_of("randomise_tfce_corrp_tstat1.nii.gz").kind.value
    '1-p'
    >>> reading_of("pain_z.nii.gz").program, reading_of("spmT_0001.nii").program
    ('NiMARE', 'SPM12')
    """
    told = _told(intent_code, map_type)
    found = _first_to_match(filename, from_server)
    if isinstance(found, MapName):
        return _of_nimare(found)
    return told if found is None else _of_row(found, told)


# Every map of a run is asked several times, and each time costs a hundred searches.
@lru_cache(maxsize=4096)
def _first_to_match(filename: str, from_server: bool) -> MapName | NameRow | None:
    """Return NiMARE's name, or the row of another program, in the order of the rows."""
    stem = _FETCHED.sub("", split_extension(filename)[0])
    for pattern, row in _patterns():
        if pattern is None:
            if name := parse_name(filename, from_server=from_server):
                return name
        elif pattern.search(stem):
            return row
    return None


def _of_nimare(name: MapName) -> Reading:
    reading = Reading(VALUE_KINDS[name.value], name, _NIMARE, "name")
    if name.method == "permutation":
        # Its word for Monte Carlo up to 0.0.2.
        return as_natural_log(reading)
    if name.method == "predictive" and reading.kind.row.has_p:
        # Nothing is corrected there (`nimare.meta.cbma.ale`, correct_fwe_predictive).
        cut = "a cutoff that NiMARE predicted for FWE"
        note = "of the test itself, where a predicted cutoff is passed; no p_FWE"
        return replace(reading, correction="none", cut=cut, note=note)
    return reading


def as_natural_log(reading: Reading) -> Reading:
    """Read a logp map as NiMARE 0.0.1 to 0.0.3 wrote those of ALE, MKDA and KDA.

    Its Monte Carlo corrections, and SCALE, wrote -ln p (nimare/meta/cbma at these
    tags); FDR and Bonferroni -log10 p, as everything does today.
    """
    name = reading.name
    if name is None or reading.kind is not MapKind.LOGP:
        return reading
    if name.correction == "FDR" or name.method == "bonferroni":
        return reading
    note = "the natural logarithm, as NiMARE 0.0.1 to 0.0.3 wrote it"
    return replace(reading, kind=MapKind.LNP, note=note)


def nimare_name_of(filename: str, *, from_server: bool = False) -> MapName | None:
    """Read a file name by NiMARE's grammar, unless it is another program's."""
    return reading_of(filename, from_server=from_server).name


def stated_reading(text: str, old: Reading) -> Reading:
    """Read what a user says that a map holds.

    Parameters
    ----------
    text : str
        The short name of a kind, and what is known beside, in any order: ``z``,
        ``t two-tailed df=18``, ``F df=2,30``, ``1-p one-tailed FWE``, ``logp FDR``,
        ``logp FWE cluster-level``, ``z uncorrected``, ``z thresholded``, ``z whole``.
        ``to-MNI``, alone or beside, moves a map from Talairach to MNI space.
    old : Reading
        What it was taken for.

    Returns
    -------
    Reading
        What is not said stays as it was known, where both kinds belong to a test.
        NiMARE's name is kept where it says the same kind.

    Raises
    ------
    ResultsError
        When it names no kind, or something else stands beside.

    Examples
    --------
    >>> stated = stated_reading("1-p one-tailed FWE", Reading(MapKind.OTHER))
    >>> stated.kind.value, stated.tail.value, stated.correction
    ('1-p', 'one-tailed', 'FWE')
    >>> stated_reading("F df=2,30", stated).dof
    (2.0, 30.0)
    """
    dof = _DOF.search(text)
    words = re.sub("[,;]", " ", _DOF.sub(" ", text)).split()
    if [word.lower() for word in words] == [TO_MNI]:
        return replace(old, to_mni=True)
    n = 2 if " ".join(words[:2]).lower() in _SYMBOLS else 1
    kind = _SYMBOLS.get(" ".join(words[:n]).lower())
    if kind is None:
        raise ResultsError(
            f"{text!r} is no kind of numbers. There are: {', '.join(MapKind)}."
        )
    said: dict[str, Any] = {}
    for word in words[n:]:
        if word.lower() not in _STATED:
            raise ResultsError(
                f"{word!r} says nothing of a map. Beside the kind there may stand "
                f"{', '.join(_STATED)}, and degrees of freedom as in df=18 or df=2,30."
            )
        said |= _STATED[word.lower()]
    stated = _kept(old, kind, corrected="correction" in said)
    if dof is not None:
        stated = replace(stated, dof=_stated_dof(dof, kind))
    stated = replace(stated, **said)
    if stated.correction in ("FWE", "FDR"):
        return replace(stated, level=stated.level or "voxel")
    return stated


def _kept(old: Reading, kind: MapKind, *, corrected: bool) -> Reading:
    """Keep what was known of a map and stays true of numbers of another kind."""
    keep = old.name if old.name and VALUE_KINDS[old.name.value] is kind else None
    if not (kind.row.has_p and old.kind.row.has_p):
        return Reading(kind, keep, old.program, "user")
    same = kind is old.kind
    kept = replace(
        old,
        kind=kind,
        name=keep,
        word="user",
        tail=old.tail if kind.row.tails == old.kind.row.tails else None,
        note=old.note if same else "",
        dof=old.dof if same else None,
        whole=False,
    )
    if corrected:
        return replace(kept, correction=None, level=None)
    if keep is None and old.name is not None and old.name.correction:
        return replace(kept, correction=old.name.correction, level=old.name.level)
    return kept


def _stated_dof(found: re.Match[str], kind: MapKind) -> float | tuple[float, float]:
    numbers = [float(number) for number in found.groups() if number]
    wanted, said = kind.row.p.n_dof, found[0].strip()
    if not wanted:
        raise ResultsError(f"{said!r}: {kind} has no degrees of freedom.")
    if len(numbers) != wanted or not all(number > 0 for number in numbers):
        takes = "two numbers, as in df=2,30" if wanted > 1 else "one number"
        raise ResultsError(f"{said!r}: {kind} takes {takes}, above 0.")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def statement(
    kind: MapKind,
    *,
    tail: Tail | None = None,
    dof: float | tuple[float, float] | None = None,
    correction: str | None = None,
    level: str | None = None,
    thresholded: bool | None = None,
    to_mni: bool = False,
) -> str:
    """Write what a map holds as `stated_reading` reads it; None says nothing.

    >>> statement(MapKind.T, tail=Tail.TWO, dof=18.0, correction="none")
    't two-tailed df=18 uncorrected'
    >>> statement(MapKind.LOGP, correction="FWE", level="cluster", thresholded=True)
    'logp FWE cluster-level thresholded'
    """
    words = [str(kind)]
    words += [str(tail)] if tail is not None and kind.has_tail else []
    if dof is not None and kind.row.p.n_dof:
        numbers = dof if isinstance(dof, tuple) else (dof,)
        words.append(f"df={','.join(f'{number:.15g}' for number in numbers)}")
    if correction:
        words.append("uncorrected" if correction == "none" else correction)
    if level == "cluster" and correction in ("FWE", "FDR"):
        words.append("cluster-level")
    if thresholded is not None:
        words.append("thresholded" if thresholded else "whole")
    return " ".join([*words, *["to-MNI"] * to_mni])


_DOF = re.compile(r"\bdo?f\s*=\s*(\d+(?:\.\d+)?)(?:\s*[,/]\s*(\d+(?:\.\d+)?))?", re.I)
#: Asks for a map to be moved from Talairach to MNI space.
TO_MNI = "to-mni"
_SYMBOLS = {str(kind).lower(): kind for kind in MapKind}
_STATED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        str(Tail.ONE): {"tail": Tail.ONE},
        str(Tail.TWO): {"tail": Tail.TWO},
        "fwe": {"correction": "FWE"},
        "fdr": {"correction": "FDR"},
        "uncorrected": {"correction": "none"},
        "voxel-level": {"level": "voxel"},
        "cluster-level": {"level": "cluster"},
        "thresholded": {"cut": "somebody, as the user says", "whole": False},
        "whole": {"cut": "", "whole": True},
        TO_MNI: {"to_mni": True},
    }
)


def _of_row(row: NameRow, told: Reading) -> Reading:
    kind = MapKind(row.kind) if row.kind else told.kind
    return Reading(
        kind=kind,
        program=row.program,
        word="name" if row.kind else told.word,
        tail=row.tail,
        correction=row.correction or None,
        level=row.level or None,
        cut=row.cut,
        note=row.note,
    )


def _told(intent_code: int, map_type: str) -> Reading:
    """Ask those who are asked last: NeuroVault's uploader, and the header."""
    word = map_type.strip().lower()
    if word in MAP_TYPE_KINDS:
        return Reading(MAP_TYPE_KINDS[word], word="NeuroVault")
    if intent_code in INTENT_KINDS:
        return Reading(INTENT_KINDS[intent_code], word="header")
    return Reading(MapKind.OTHER)
