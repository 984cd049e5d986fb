"""What a viewer holds -> a short Python script that gives the same tables."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from napari_neurosynth_results.export.workspace.contents import (
    Clusters,
    Description,
    FociReference,
    MaskReference,
    Naming,
    Pair,
    SavedRequest,
    Source,
)
from napari_neurosynth_results.statistics.thresholds.threshold import Threshold

#: Keywords of `find_clusters` that are written when they are not what it assumes.
_OPTIONS = (
    *("tail", "strict", "connectivity", "min_voxels", "min_mm3", "fdr"),
    *("tdp_alpha", "tdp_dependence"),
)
_LONGEST = 88
#: How a comment begins that says what has to be done before the script runs.
FIRST_STEP = "# FIRST:"
#: What a script uses already.
_TAKEN = frozenset(
    {"nnr", "keys", "key", "peak", "label", "given_name", "given_names"}
    | {"origins_of", "region_masking"}
)
_LONGEST_NAME = 40


def write_script(description: Description) -> str:
    """Write a script over the headless API.

    Parameters
    ----------
    description : Description
        What is open, and what was asked.

    Returns
    -------
    str
        Python: one variable a result, a map, its clusters, a comparison. Whatever has
        to be done first stands in a comment that begins with ``# FIRST:``.

    Examples
    --------
    >>> from napari_neurosynth_results.export.workspace.contents import Map
    >>> print(write_script(Description((Source(("pain-ale",)),), (Map("z", "z", 0),))))
    import napari_neurosynth_results as nnr
    <BLANKLINE>
    results = nnr.open_results('pain-ale')
    z = results['z']
    """
    return _Writer(description).text()


def as_comment(text: str) -> str:
    r"""Make a text fit for a comment: nothing in it may end the line.

    >>> as_comment("a\nimport os")
    'a import os'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class _Writer:
    """Writes each thing once, after what it needs."""

    def __init__(self, description: Description) -> None:
        self._state = description
        self._names = VariableNames()
        self._done: dict[tuple[str, int], str] = {}
        self._lines: list[str] = []
        self._imports: set[str] = set()

    def text(self) -> str:
        """Write everything."""
        state = self._state
        for number in range(len(state.sources)):
            self._source(number)
        for number in range(len(state.maps)):
            self._map(number)
        for number in range(len(state.clusters)):
            self._clusters(number)
        for number in range(len(state.comparisons)):
            self._pair(number)
        for foci in state.foci:
            self._foci(foci)
        head = ["import napari_neurosynth_results as nnr", *sorted(self._imports)]
        return "\n".join([*head, "", *self._lines]).rstrip("\n") + "\n"

    def _say(self, text: str) -> None:
        self._lines.append(f"# {as_comment(text)}")

    def _tell(self, text: str) -> None:
        """Write a long comment on lines of its own."""
        lines = textwrap.wrap(as_comment(text), _LONGEST - 2, break_long_words=False)
        self._lines += [f"# {line}" for line in lines]

    def _say_once(self, text: str) -> None:
        if f"# {as_comment(text)}" not in self._lines:
            self._say(text)

    def _gap(self) -> None:
        if self._lines and self._lines[-1]:
            self._lines.append("")

    # --- results and maps -------------------------------------------------------------

    def _source(self, number: int) -> str:
        if (done := self._done.get(("source", number))) is not None:
            return done
        source: Source = self._state.sources[number]
        name = self._names.new("results")
        if source.title and source.title not in source.paths:
            self._tell(source.title)
        if source.needs_link:
            self._say(
                "FIRST: it is private. Put its link here: this name only opens what "
                "this machine has downloaded."
            )
        paths: Any = source.paths[0] if len(source.paths) == 1 else list(source.paths)
        self._lines.append(_open(name, repr(paths), source.stated))
        if source.fetched:
            self._say("As in the viewer: these maps were downloaded, no others.")
            self._lines.append(f"{name}.on_demand = False")
            keys = [repr(key) for key in source.fetched]
            self._lines += _write_list(
                f"keys = [{', '.join(keys)}]", "keys = [", keys, "]"
            )
            self._lines.append(f"{name}.fetch([{name}[key] for key in keys])")
        self._done["source", number] = name
        return name

    def _map(self, number: int) -> str:
        if (done := self._done.get(("map", number))) is not None:
            return done
        found = self._state.maps[number]
        if found.comparison is not None:
            made = f"{self._pair(found.comparison)}.{found.made}"
            # Its p and logp stand beside it, in a result of their own.
            value = f"{made}.results[{found.key!r}]"
        else:
            assert found.source is not None
            value = f"{self._source(found.source)}[{found.key!r}]"
        name = self._names.new_for_map(found.key)
        line = f"{name} = {value}"
        title = as_comment(found.title)
        if title and title != found.key:
            if len(line) + len(title) + 4 > _LONGEST:
                self._tell(title)
            else:
                line += f"  # {title}"
        self._lines.append(line)
        self._done["map", number] = name
        return name

    # --- clusters ---------------------------------------------------------------------

    def _clusters(self, number: int) -> str:
        if (done := self._done.get(("clusters", number))) is not None:
            return done
        found: Clusters = self._state.clusters[number]
        on = self._map(found.map)
        mask = self._mask(found.asked.place, on) if found.asked.place else None
        atlas = self._atlas(found.naming)
        self._gap()
        if found.sentence:
            self._tell(found.sentence)
        name = self._names.new(f"clusters_{on}")
        asked = [on, *_threshold(found.asked)]
        asked += [f"mask={mask}"] * (mask is not None)
        asked += [f"atlas={atlas}"] * (atlas is not None)
        self._lines.append(_call(f"{name} = nnr.find_clusters", asked))
        self._rename(name, found)
        self._lines.append(f"print({name}.table)")
        self._done["clusters", number] = name
        return name

    def _rename(self, name: str, found: Clusters) -> None:
        """Give the names back: a cluster is known by the voxel of its peak."""
        if not found.names:
            return
        self._lines.append("given_names = {")
        self._lines += [f"    {one.peak}: {one.name!r}," for one in found.names]
        self._lines += [
            "}",
            "for peak, given_name in given_names.items():",
            f"    if peak in {name}.peak_voxels:",
            f"        label = {name}.peak_voxels.index(peak) + 1",
            f"        {name} = {name}.renamed(label, given_name)",
        ]

    def _atlas(self, naming: Naming) -> str | None:
        """Return what stands for an atlas, None for the one that is assumed."""
        if naming.layer:
            file = file_name(naming.layer, "atlas")
            self._gap()
            self._say_once(
                f"FIRST: regions were named by {naming.layer}, which no file stands "
                f"for. Save its labels as {file}.nii.gz, and their names (columns "
                f"index and name) as {file}.csv."
            )
            return f"nnr.open_atlas({file + '.nii.gz'!r}, {file + '.csv'!r})"
        if naming.names:
            return f"nnr.open_atlas({naming.atlas!r}, {naming.names!r})"
        return None if naming.atlas == "default" else repr(naming.atlas)

    # --- places -----------------------------------------------------------------------

    def _mask(self, place: MaskReference, on: str) -> str:
        exclusive = ["exclusive=True"] * place.outside
        if place.kind == "brain":
            return f"nnr.brain_mask({on})"
        if place.kind == "map":
            assert place.map is not None
            other = self._map(place.map)
            arguments = [on, other, f"p={_number(place.p)}", *exclusive]
            return self._assigned(on, _call("nnr.mask_from_map", arguments, 10))
        if place.kind == "file":
            arguments = [on, repr(place.path), *exclusive]
            return self._assigned(on, _call("nnr.mask_from_file", arguments, 10))
        if place.kind == "clusters":
            assert place.clusters is not None
            return self._mask_of_clusters(place, on)
        file = file_name(place.name, "mask") + ".nii.gz"
        self._gap()
        self._say(
            f"FIRST: the mask was {place.name or 'made elsewhere'}, which no file "
            f"stands for. Save its voxels as {file}."
        )
        arguments = [on, repr(file), *exclusive]
        return self._assigned(on, _call("nnr.mask_from_file", arguments, 10), gap=False)

    def _mask_of_clusters(self, place: MaskReference, on: str) -> str:
        assert place.clusters is not None
        other = self._clusters(place.clusters)
        there = f"{other}.statmap.grid"
        self._imports.add(
            "from napari_neurosynth_results.statistics.thresholds.masks"
            " import origins_of, region_masking"
        )
        arguments = [
            f"{other}.labels != 0",
            there,
            f"{on}.grid",
            f"what={place.name!r}",
            f"exclusive={place.outside}",
            f"made_of=origins_of({other}.statmap)",
        ]
        return self._assigned(on, _call("region_masking", arguments, 10))

    def _assigned(self, on: str, made: str, *, gap: bool = True) -> str:
        if gap:
            self._gap()
        name = self._names.new(f"mask_{on}")
        self._lines.append(f"{name} = {made}")
        return name

    # --- comparisons and foci ---------------------------------------------------------

    def _pair(self, number: int) -> str:
        if (done := self._done.get(("pair", number))) is not None:
            return done
        pair: Pair = self._state.comparisons[number]
        a, b = self._clusters(pair.a), self._clusters(pair.b)
        self._gap()
        name = self._names.new("comparison")
        arguments = [
            f"{a}.statmap",
            f"{b}.statmap",
            f"threshold_a={a}",
            f"threshold_b={b}",
        ]
        self._lines.append(_call(f"{name} = nnr.compare_maps", arguments))
        self._lines.append(f"print({name}.table)")
        self._done["pair", number] = name
        return name

    def _foci(self, foci: FociReference) -> None:
        self._gap()
        name = self._names.new("studies")
        if foci.source is not None:
            self._lines.append(f"{name} = {self._source(foci.source)}.studies")
        else:
            path = foci.path
            if not path:
                path = file_name(foci.title, "studies") + ".json"
                self._say(
                    f"FIRST: the studies of {foci.title} were given by other code. "
                    f"Save them as a studyset, {path}."
                )
            arguments = [repr(path)]
            if foci.annotation:
                arguments.append(f"annotation={foci.annotation!r}")
            if foci.include is not None:
                arguments.append(f"include={foci.include!r}")
            self._lines.append(_call(f"{name} = nnr.open_studies", arguments))
        self._lines.append(f"print({name}.foci)")


def _threshold(asked: SavedRequest) -> list[str]:
    """Write a threshold as keywords of `find_clusters`."""
    threshold = asked.threshold
    plain = Threshold(p=0.5)
    words = [f"{threshold.criterion}={_number(threshold.number)}"]
    words += [
        f"{name}={_literal(value)}"
        for name in _OPTIONS
        if (value := getattr(threshold, name)) != getattr(plain, name)
    ]
    if asked.dof is not None:
        pair = asked.dof if isinstance(asked.dof, tuple) else None
        numbers = ", ".join(map(_number, pair)) if pair else ""
        words.append(f"dof=({numbers})" if pair else f"dof={_literal(asked.dof)}")
    return words


def _literal(value: Any) -> str:
    return _number(value) if isinstance(value, float) else repr(value)


def _number(value: float) -> str:
    """Write a number so that it is read back to the last digit."""
    # numpy's numbers say what they are, in names that a script does not know.
    return repr(float(value)) if math.isfinite(value) else f"float({str(value)!r})"


def _call(function: str, arguments: list[str], before: int = 0) -> str:
    """Write a call on one line, or on one line an argument."""
    line = f"{function}({', '.join(arguments)})"
    if before + len(line) <= _LONGEST or len(arguments) == 1:
        return line
    return "\n".join([f"{function}(", *(f"    {one}," for one in arguments), ")"])


def _open(name: str, paths: str, stated: Mapping[str, str]) -> str:
    """Write how a result is opened, with what the user says that maps hold."""
    start = f"{name} = nnr.open_results"
    if not stated:
        return _call(start, [paths])
    kinds = [f"{key!r}: {text!r}" for key, text in stated.items()]
    line = f"{start}({paths}, kinds={{{', '.join(kinds)}}})"
    if len(line) <= _LONGEST:
        return line
    rows = [f"        {one}," for one in kinds]
    return "\n".join(
        [f"{start}(", f"    {paths},", "    kinds={", *rows, "    },", ")"]
    )


def _write_list(line: str, start: str, items: list[str], end: str) -> list[str]:
    if len(line) <= _LONGEST:
        return [line]
    return [start, *(f"    {item}," for item in items), end]


# --- names for variables and files, made of whatever things are called ------------


class VariableNames:
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
        >>> names = VariableNames()
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
        >>> VariableNames().new_for_map("z_desc-mass_level-cluster_corr-FWE_method-x")
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
