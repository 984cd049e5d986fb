"""Who made a result set, and where there is more about it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Link:
    """A place on the web.

    Attributes
    ----------
    text, url : str
        What to call it; its address, without any secret.
    """

    text: str
    url: str


@dataclass(frozen=True)
class About:
    """What a server says of a result set, for people.

    Attributes
    ----------
    authors, doi, description : str
        As given; empty when not.
    links : tuple of Link
        The pages of the set, its paper and its meta-analysis.
    specification : dict
        What the meta-analysis was asked to do: estimator, corrector, filter.
    other_results : tuple of str
        Ids of further results of the same meta-analysis, the latest first.
    private : bool
        Whether the set is only for those who have its link.
    """

    authors: str = ""
    doi: str = ""
    description: str = ""
    links: tuple[Link, ...] = ()
    specification: dict[str, object] = field(default_factory=dict)
    other_results: tuple[str, ...] = ()
    private: bool = False


NOTHING_KNOWN = About()
