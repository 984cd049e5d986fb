"""Where a study says it found something -> `Focus`: one reading for all formats.

Foci are moved as NiMARE moves them, so that what is shown is what the algorithm saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from napari_neurosynth_results.anatomy.coordinates import space_named, tal_to_mni
from napari_neurosynth_results.anatomy.numerals import counted, read_count, read_number
from napari_neurosynth_results.maps.studies import Focus

#: The spellings by which NiMARE (fdb11f05, as 0.22.1) moves Talairach.
_NIMARE_TALAIRACH = frozenset({"TAL", "Talairach"})
#: What foci state is counted under this and the name of their space.
_SPACE = "space: "
#: So many names of spaces are told, and so much of each.
_MOST_NAMES = 3
_LONGEST_NAME = 30
_LONGEST = 2000
#: No head reaches farther from the origin, in mm.
_FARTHEST = 1000.0
#: No study ever had more people, and a sum of them fits every integer.
_MOST_PEOPLE = 10**9


def make_focus(
    where: Sequence[Any],
    space: str,
    counts: Counter[str],
    statistic: str = "",
    value: float | None = None,
) -> Focus | None:
    """Make a focus of what a document says, and count what had to be assumed.

    Parameters
    ----------
    where : sequence
        x, y, z in mm, when all is well.
    space : str
        As stated; Talairach is moved to MNI, what is unknown is shown as it stands.
    counts : Counter
        Is added to: ``foci``, ``nowhere`` and the spaces, for `assumption_notices`.
    statistic, value : str, float or None
        What was reported there.

    Returns
    -------
    Focus or None
        None when these are no coordinates inside a head.
    """
    counts["foci"] += 1
    numbers = [mm for mm in map(read_number, where) if mm is not None]
    if len(where) != 3 or len(numbers) != 3 or max(map(abs, numbers)) > _FARTHEST:
        counts["nowhere"] += 1
        return None
    talairach = space_named(space) == "TAL"
    counts[_SPACE + space] += 1
    x, y, z = tal_to_mni(numbers) if talairach else numbers
    return Focus(x, y, z, space, talairach, statistic, value)


def assumption_notices(counts: Mapping[str, int], *, is_text: bool) -> list[str]:
    """Say what was left out and what had to be assumed.

    Parameters
    ----------
    counts : mapping
        Of `make_focus`.
    is_text : bool
        Whether they are of a text of Sleuth: NiMARE refuses one whose space it does not
        know. It leaves such foci of its Dataset and of NIMADS where they are.

    Returns
    -------
    list of str
        Notices, none when all is well.
    """
    notices = []
    if counts.get("nowhere"):
        notices.append(f"Left out: {_foci(counts['nowhere'])} without coordinates.")
    spaces = {
        key.removeprefix(_SPACE): n
        for key, n in counts.items()
        if key.startswith(_SPACE) and n
    }
    unknown = {name: n for name, n in spaces.items() if not space_named(name)}
    if unknown:
        notices.append(_told_unknown(unknown, is_text=is_text))
    spelled = {
        name: n
        for name, n in spaces.items()
        if space_named(name) == "TAL" and name not in _NIMARE_TALAIRACH
    }
    if spelled and not is_text:
        notices.append(
            f"{_foci(sum(spelled.values()))} in {_some_names(spelled)}, which is "
            'Talairach: converted here. NiMARE knows "TAL" and "Talairach" '
            "and may have used these as they stand."
        )
    return notices


def _told_unknown(unknown: Mapping[str, int], *, is_text: bool) -> str:
    named = {name: n for name, n in unknown.items() if name}
    stated = f" ({_some_names(named)})" if named else ""
    told = f"{_foci(sum(unknown.values()))} with no known space{stated}"
    if not is_text:
        return (
            f"{told}; shown as if it were MNI. NiMARE uses such foci as they "
            "stand, whatever space they are in."
        )
    told += "; shown as if it were MNI. NiMARE refuses such a file"
    if len(named) < len(unknown):
        told += ", and GingerALE takes it for Talairach unless it is told otherwise"
    return f"{told}. Write its space in the first line, as in // Reference=MNI."


def _foci(n: int) -> str:
    return counted(n, "focus", "foci")


def _some_names(names: Mapping[str, int]) -> str:
    shown = [f'"{name[:_LONGEST_NAME]}"' for name in list(names)[:_MOST_NAMES]]
    return ", ".join(shown) + (", ..." if len(names) > _MOST_NAMES else "")


def read_sample_size(*metadata: Any) -> int | None:
    """Find the sample size of an analysis, where NiMARE 0.22.1 looks for it.

    Parameters
    ----------
    *metadata : object
        Of the analysis first, then of its study; ``sample_sizes`` is a list with one
        number a group, and goes before ``sample_size``.

    Returns
    -------
    int or None
        Of several groups the mean, to the nearest whole. A list with anything but
        numbers is passed over, as NiMARE does.

    Examples
    --------
    >>> read_sample_size({"sample_sizes": [20, 24]}, {"sample_size": 50})
    22
    >>> read_sample_size({"sample_sizes": [None]}, {"sample_size": "50"})
    50
    """
    mean = read_mean_sample_size(*metadata)
    # Halves go up: Python would round them to even.
    return None if mean is None else int(mean + 0.5)


def read_mean_sample_size(*metadata: Any) -> float | None:
    """Find the sample size that NiMARE's ALE sizes its kernel by.

    Parameters
    ----------
    *metadata : object
        As for `read_sample_size`.

    Returns
    -------
    float or None
        Of several groups the mean, as it is.

    Examples
    --------
    >>> read_mean_sample_size({"sample_sizes": [20, 25]})
    22.5
    """
    for record in metadata:
        if not isinstance(record, Mapping):
            continue
        groups = record.get("sample_sizes")
        for sizes in (groups, [record.get("sample_size")]):
            people = _people(sizes) if isinstance(sizes, list) else None
            if people is not None:
                return people
    return None


def _people(sizes: Sequence[Any]) -> float | None:
    numbers = [read_count(size) for size in sizes]
    known = [size for size in numbers if size is not None and 0 < size < _MOST_PEOPLE]
    if not known or len(known) < len(sizes):
        return None
    return sum(known) / len(known)


def list_field(record: Any, key: str) -> list[Any]:
    """Return the list under a key of a JSON object, empty where there is none."""
    value = record.get(key) if isinstance(record, Mapping) else None
    return value if isinstance(value, list) else []


def text_field(record: Any, key: str) -> str:
    """Return the text under a key of a JSON object, empty where there is none."""
    value = record.get(key) if isinstance(record, Mapping) else None
    if not isinstance(value, str | int):
        return ""
    text = str(value).strip()[:_LONGEST]
    # Half a character (JSON can write one) is none that a window can show.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def publication_year(value: Any) -> int | None:
    """Return a year of publication, None for what is none."""
    year = read_number(value)
    return int(year) if year and 1 <= year < 10_000 else None
