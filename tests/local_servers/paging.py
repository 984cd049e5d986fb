"""Pages of a list, right and in the ways that pages have been wrong."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

_DEFAULT, _MOST = 100, 1000
_FOREIGN = "http://evil.example/api/collections/1/images/"


def page_of(
    records: list[Any], here: str, query: str, wrong: str = ""
) -> dict[str, Any]:
    """Return one page.

    Parameters
    ----------
    records : list
        All records.
    here : str
        Address of the list.
    query : str
        What was asked: ``limit`` and ``offset``, of which nonsense is ignored.
    wrong : str
        "lies" (counts more than there is), "repeats" (the same records again),
        "loops" (the next page is this one), "foreign" (it is on another host) or "".

    Returns
    -------
    dict
        ``count``, ``next``, ``previous`` and ``results``.
    """
    limit = min(_number(query, "limit") or _DEFAULT, _MOST)
    offset = _number(query, "offset")
    end = offset + limit
    page, count = records[offset:end], len(records)
    following = f"{here}?limit={limit}&offset={end}"
    told = following if end < count else None
    before = f"&offset={offset - limit}" if offset > limit else ""
    previous = f"{here}?limit={limit}{before}" if offset else None
    if wrong == "lies":
        count, told = count + 1000, following
    elif wrong == "repeats":
        count, told, page = count * 2, following, page or records
    elif wrong == "loops":
        told, page = f"{here}?{query}", records[:limit]
    elif wrong == "foreign":
        told = _FOREIGN
    return {"count": count, "next": told, "previous": previous, "results": page}


def _number(query: str, key: str) -> int:
    text = parse_qs(query).get(key, [""])[0]
    return int(text) if text.isdecimal() and text.isascii() else 0
