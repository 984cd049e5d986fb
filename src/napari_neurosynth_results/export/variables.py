"""Names for the variables and files of a script, made of whatever things are called."""

from __future__ import annotations

import builtins
import keyword
import re

#: What a script uses already.
_TAKEN = frozenset(
    {"nnr", "keys", "key", "peak", "label", "given_name", "given_names"}
    | {"region_masking"}
)
_LONGEST_NAME = 40


class Variables:
    """Hands out names, each once."""

    def __init__(self) -> None:
        self._used: set[str] = set(_TAKEN)

    def new(self, wanted: str) -> str:
        """Return a name that is like another one, and that nothing else has.

        Parameters
        ----------
        wanted : str
            Any text.

        Returns
        -------
        str
            An identifier.

        Examples
        --------
        >>> names = Variables()
        >>> names.new("results"), names.new("results"), names.new("class")
        ('results', 'results_2', 'class_')
        """
        name = _plain(wanted) or "map"
        if name[0].isdigit():
            name = f"map_{name}"
        if keyword.iskeyword(name) or hasattr(builtins, name):
            name += "_"
        found, number = name, 1
        while found in self._used:
            number += 1
            found = f"{name}_{number}"
        self._used.add(found)
        return found

    def new_for_map(self, key: str) -> str:
        """Return a short name for a map.

        Parameters
        ----------
        key : str
            The stem of its file; of NiMARE's names the keys of entities are left out.

        Returns
        -------
        str
            An identifier.

        Examples
        --------
        >>> Variables().new_for_map("z_desc-mass_level-cluster_corr-FWE_method-x")
        'z_mass_cluster_fwe'
        """
        parts = [part.split("-", 1) for part in key.split("_")]
        words = [part[-1] for part in parts if part[0] != "method"]
        return self.new("_".join(words).lower())


def file_name(text: str, otherwise: str) -> str:
    """Make a file name, without extension, that every system takes.

    Parameters
    ----------
    text : str
        What it is to be like.
    otherwise : str
        For a text that has no letters.

    Returns
    -------
    str
        Letters, digits and ``_``.

    Examples
    --------
    >>> file_name("my 'mask'/1", "mask"), file_name("脳", "mask")
    ('my_mask_1', 'mask')
    """
    return _plain(text) or otherwise


def _plain(text: str) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return words[:_LONGEST_NAME].strip("_")
