"""The pages of NeuroVault, Compose and NeuroStore: what each path names, or why not.

A route is a pattern for a whole path and either the kind of what it names, whose parts
are the pattern's groups, or a refusal that says what the page is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from napari_neurosynth_results.sources.web.servers import (
    COMPOSE,
    NEUROSTORE,
    NEUROVAULT,
    Servers,
)

WHAT_OPENS = (
    "What can be opened: a NeuroVault collection or image (link or number), a "
    "Neurosynth Compose meta-analysis (link or id), a folder, a zip or a NIfTI map."
)


@dataclass(frozen=True)
class Route:
    """Paths of one form.

    Attributes
    ----------
    pattern : re.Pattern
        Of a whole path, without its final slash.
    kind : str
        What it names; empty when it is refused.
    refusal : str
        What the page is, and what to open instead.
    """

    pattern: re.Pattern[str]
    kind: str = ""
    refusal: str = ""


_INSIDE = r"(?P<inside>[^/]+\.nii(?:\.gz)?)"
#: A collection's number or private token; anything else of this form is refused later.
_CID = r"(?P<cid>[\w{}.-]+?)"
# Not \d, which takes the digits of every script.
_PK = r"(?P<pk>[0-9]+)"
_MID = r"(?P<id>[0-9A-Za-z]{12})"
_NIDM = r"(?P<filename>[^/]+?\.nidm(?:_\d+)?)"


def _routes(rows: Iterable[tuple[str, str]]) -> tuple[Route, ...]:
    kinds = {"collection", "image", "file", "nidm", "meta-analysis", "result"}
    kinds |= {"project"}
    return tuple(
        Route(re.compile(pattern), kind=what)
        if what in kinds
        else Route(re.compile(pattern), refusal=what)
        for pattern, what in rows
    )


_NEUROVAULT_PAGES = _routes(
    [
        ("", "This is NeuroVault's front page; open a collection instead."),
        (
            r"/collections",
            "This is NeuroVault's list of collections; open one of them instead.",
        ),
        (
            r"/collections/new",
            "This is NeuroVault's form for a new collection; open an existing one.",
        ),
        (
            r"/collections/stats",
            "These are NeuroVault's statistics; open a collection instead.",
        ),
        (
            r"/my_collections(/.*)?",
            "This is your own list of collections; open one.",
        ),
        (
            r"/atlases",
            "This is NeuroVault's list of atlases; open one.",
        ),
        (
            r"/images/tags/.*",
            "This is NeuroVault's list of images with a tag; open one of them instead.",
        ),
        (
            r"/images/compare(/.*)?",
            "This is NeuroVault's comparison of two images; open them one by one.",
        ),
        (
            r"/images",
            "This is NeuroVault's list of images; open one of them instead.",
        ),
        (
            r"/tasks(/.*)?",
            "This is NeuroVault's page of a cognitive task; open a collection instead.",
        ),
        (
            r"/search(/.*)?",
            "This is a NeuroVault search page; open a collection instead.",
        ),
        (
            r"/communities(/.*)?",
            "This is a NeuroVault community; open one of its collections instead.",
        ),
        (
            r"/accounts(/.*)?",
            "This is an account; open a collection instead.",
        ),
        (
            r"/metaanalyses(/.*)?",
            "This is NeuroVault's page of an image-based meta-analysis; its result is "
            "an ordinary collection named 'Metaanalysis ...': open that.",
        ),
        (rf"(?:/api)?/collections/{_CID}/images/{_PK}(?:/\w+)?", "image"),
        (rf"/(?:collections|media/images)/{_CID}/{_NIDM}/{_INSIDE}", "file"),
        (rf"(?:/api)?/collections/{_CID}/{_NIDM}(?:\.zip|\.ttl|/.*)?", "nidm"),
        (
            rf"/collections/{_CID}(?:/(?:download|json|gjson|sjson|ojson|edit|delete|"
            r"upload_folder|editmetadata|pycortex|export/imagesfilenames))?",
            "collection",
        ),
        (
            rf"/api/collections/{_CID}"
            r"(?:/(?:images|atlases|nidm_results|datatable))?(?:\.json)?",
            "collection",
        ),
        (
            rf"/images/{_PK}(?:/(?:edit|delete|pycortex|find_similar|gene_expression|"
            r"download_surfaces|js/embed|papaya/embedview))?",
            "image",
        ),
        # Eight digits are no token; other wrong tokens are told apart later.
        (
            rf"/api/images/(?![0-9]{{8}}-)(?P<cid>[0-9A-Za-z]{{8}})-{_PK}"
            r"(?:/datatable)?",
            "image",
        ),
        (rf"/api/(?:images|atlases)/{_PK}(?:/\w+)?(?:\.json)?", "image"),
        (rf"/media/images/{_CID}/{_NIDM}/.+", "nidm"),
        (rf"/media/images/{_CID}/(?P<filename>[^/]+)", "file"),
        (
            r"/api(/.*)?",
            "This part of NeuroVault's API is no result; open a collection instead.",
        ),
    ]
)
_COMPOSE_PAGES = _routes(
    [
        ("", "This is the front page of Neurosynth Compose; open a meta-analysis."),
        (
            r"(?:/api)?/meta-analyses",
            "This is Compose's list of meta-analyses; open one of them instead.",
        ),
        (rf"(?:/api)?/meta-analyses/{_MID}", "meta-analysis"),
        (rf"/projects/[0-9A-Za-z]{{12}}/meta-analyses/{_MID}", "meta-analysis"),
        (rf"/api/meta-analysis-results/{_MID}", "result"),
        (
            rf"(?:/api)?/projects/{_MID}"
            r"(?:/(?:project|meta-analyses|curation(?:/search)?|extraction(?:/.*)?))?",
            "project",
        ),
        (
            r"(?:/api)?/projects",
            "This is Compose's list of projects; open a meta-analysis instead.",
        ),
        (
            r"/base-studies(/.*)?",
            "This is a study, not a result; open a meta-analysis instead.",
        ),
        (
            r"/api/(?:snapshot-)?(?:studysets|annotations)(/.*)?",
            "This is the studyset behind a meta-analysis; open the meta-analysis.",
        ),
        (
            r"/api/specifications(/.*)?",
            "This is the specification of a meta-analysis; open the meta-analysis.",
        ),
        (
            r"/(?:help|user-profile|termsandconditions|forbidden)(/.*)?",
            "This page of Compose holds no data; open a meta-analysis instead.",
        ),
    ]
)
_NEUROSTORE_PAGES = _routes(
    [
        (
            r".*",
            "This is NeuroStore, which holds studies and not results; open the "
            "meta-analysis in Neurosynth Compose instead.",
        )
    ]
)
#: Compose for those who build it: copies of the public one, with ids of their own.
STAGING = "https://staging.synth.neurostore.xyz"
DEVELOPMENT = "https://dev.synth.neurostore.xyz"


def list_sites(online: Servers) -> list[tuple[str, str, tuple[Route, ...]]]:
    """List what may be pasted.

    Returns
    -------
    list of tuple
        A site, the site to ask for it, and its pages.
    """
    listed = [
        (online.neurovault, online.neurovault, _NEUROVAULT_PAGES),
        # Whoever configured another server wants it asked, whatever was pasted.
        (NEUROVAULT, online.neurovault, _NEUROVAULT_PAGES),
        ("https://www.neurovault.org", online.neurovault, _NEUROVAULT_PAGES),
        (online.compose, online.compose, _COMPOSE_PAGES),
        (COMPOSE, online.compose, _COMPOSE_PAGES),
        ("https://www.compose.neurosynth.org", online.compose, _COMPOSE_PAGES),
        # An older name of the public site.
        ("https://synth.neurostore.xyz", online.compose, _COMPOSE_PAGES),
        (STAGING, STAGING, _COMPOSE_PAGES),
        (DEVELOPMENT, DEVELOPMENT, _COMPOSE_PAGES),
        (online.neurostore, online.neurostore, _NEUROSTORE_PAGES),
        (NEUROSTORE, NEUROSTORE, _NEUROSTORE_PAGES),
        ("https://staging.neurostore.xyz", "", _NEUROSTORE_PAGES),
        ("https://dev.neurostore.xyz", "", _NEUROSTORE_PAGES),
    ]
    # Longer first: on one host, /compose/... is not a page of what lies at its root.
    return sorted(listed, key=lambda row: -len(row[0]))
