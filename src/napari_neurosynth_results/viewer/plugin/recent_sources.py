"""The sources that were opened last, kept beside the cache."""

from __future__ import annotations

from dataclasses import dataclass

from napari_neurosynth_results.sources.web.cache import Cache
from napari_neurosynth_results.sources.web.servers import Servers

_NAME = "recent sources"
_MOST = 15


@dataclass(frozen=True)
class RecentSource:
    """A source that was opened.

    Attributes
    ----------
    source : str
        What to open again; never a private token.
    title : str
        What it was called.
    """

    source: str
    title: str


def recent_sources(online: Servers) -> list[RecentSource]:
    """Return the sources opened last, the latest first."""
    kept = _cache(online).get_document(_NAME)
    found = kept.value if kept is not None else []
    return [
        RecentSource(entry["source"], entry["title"])
        for entry in (found if isinstance(found, list) else [])
        if isinstance(entry, dict)
        and isinstance(entry.get("source"), str)
        and isinstance(entry.get("title"), str)
    ][:_MOST]


def remember_source(online: Servers, source: str, title: str) -> None:
    """Put a source before all others.

    Parameters
    ----------
    online : Servers
        Where the cache is.
    source : str
        What opens it again; a private collection by the name that it is kept under.
    title : str
        What to call it.
    """
    others = [one for one in recent_sources(online) if one.source != source]
    listed = [RecentSource(source, title), *others][:_MOST]
    _cache(online).put_document(
        _NAME, [{"source": one.source, "title": one.title} for one in listed]
    )


def _cache(online: Servers) -> Cache:
    return Cache(online.cache_dir, online.cache_bytes)
