"""Region names of many atlases, brought to read alike: the side last (``insula R``).

Only what is unambiguous is changed, so that a name stays the one in the atlas's papers.
"""

from __future__ import annotations

import re
import unicodedata

#: Longer names are cut.
LONGEST = 200

_SIDES = {"l": "L", "left": "L", "lh": "L", "r": "R", "right": "R", "rh": "R"}
# FreeSurfer (ctx-lh-insula, Left-Thalamus-Proper), FSL (Left Insular Cortex).
_WORD_FIRST = re.compile(r"(?i)(?:ctx[-_. ])?(left|right|lh|rh)([-_. ])+(?=\S)")
_WHITE = re.compile(r"(?i)wm[-_. ](lh|rh)([-_. ])+(?=\S)")
# Destrieux of nilearn (L G_insular_short), HCP (L_V1_ROI).
_LETTER_FIRST = re.compile(r"([LR])([_ ])(?=\S)")
# Schaefer and Yeo (7Networks_LH_Vis_1).
_NETWORKS = re.compile(r"(?i)(\d+Networks_)(LH|RH)_(?=\S)")
# AAL (Insula_R), Juelich (GM Amygdala_superficial group L), and in words.
_LAST = re.compile(
    r"(?i)(?<=[^-_.,\s])"
    r"(?:[-_., ]+(left|right|lh|rh)|[-_ ]+([LR])|\s*\(([LR]|left|right)\))$"
)
_MENTION = re.compile(
    r"(?i)(?:^|[^a-z])(left|right|lh|rh|bilateral|both)(?:[^a-z]|$)|^[LR]$"
)


def tidy_name(text: str, hemisphere: str = "") -> str:
    """Bring the name of a region to the form that all atlases are shown in.

    Parameters
    ----------
    text : str
        As the atlas spells it.
    hemisphere : str
        What a column of the atlas's table says of the side; ignored unless it is a
        word or letter for left or right, or when the name itself tells the side.

    Returns
    -------
    str
        Spaces for underscores, and ``L`` or ``R`` last where a side is told, and told
        once. Capitals and abbreviations stay.

    Examples
    --------
    >>> tidy_name("Left-Thalamus-Proper")
    'Thalamus Proper L'
    >>> tidy_name("7Networks_LH_Vis_1")
    '7Networks Vis 1 L'
    >>> tidy_name("bankssts", "L")
    'bankssts L'
    """
    text = _plain(text)
    rest, first = _cut_first(text)
    rest, last = _cut_last(rest)
    told = {side for side in (first, last) if side}
    if len(told) > 1 or _MENTION.search(rest):
        return _spaced(text)
    side = told.pop() if told else _SIDES.get(hemisphere.strip().lower(), "")
    return f"{_spaced(rest)} {side}".strip()


def _plain(text: str) -> str:
    """Drop what cannot be shown, and join white space."""
    shown = (c for c in " ".join(text.split()) if unicodedata.category(c)[0] != "C")
    return " ".join("".join(shown)[:LONGEST].split())


def _cut_first(text: str) -> tuple[str, str]:
    """Take a side from the front of a name."""
    if found := _NETWORKS.match(text):
        return found[1] + text[found.end() :], _SIDES[found[2].lower()]
    found = _WORD_FIRST.match(text) or _WHITE.match(text) or _LETTER_FIRST.match(text)
    if not found:
        return text, ""
    rest = text[found.end() :]
    if found[2] == "-":
        # FreeSurfer's names have hyphens for spaces; others mean them.
        rest = rest.replace("-", " ")
    if found.re is _WHITE:
        rest = f"wm {rest}"
    return rest, _SIDES[found[1].lower()]


def _cut_last(text: str) -> tuple[str, str]:
    """Take a side from the end of a name."""
    if not (found := _LAST.search(text)):
        return text, ""
    return text[: found.start()], _SIDES[(found[1] or found[2] or found[3]).lower()]


def _spaced(text: str) -> str:
    return " ".join(text.replace("_", " ").split())
