"""The workspace file: what a viewer holds and how it looks, as JSON for people too.

`docs/workspace.md` says what each entry means.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import write_whole
from napari_neurosynth_results.export.workspace.contents import (
    Clusters,
    Description,
    Naming,
    SavedRequest,
)

# Data classes <-> JSON: whatever a file holds is checked before anybody believes it.
#
# Types say what is taken. What has its default value is left out of the file.

Made = TypeVar("Made")

#: More than any viewer holds.
_MOST_ITEMS = 10_000
_LONGEST_TEXT = 20_000
_LARGEST = 2**53
_MOST_TOLD = 60


def encoded(value: Any) -> Any:
    """Turn a data class into what JSON can hold.

    Parameters
    ----------
    value : object
        A data class, tuple, text, number, bool or None.

    Returns
    -------
    object
        Dicts, lists and plain values.
    """
    if dataclasses.is_dataclass(value):
        return {
            field.name: encoded(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, tuple):
        return [encoded(item) for item in value]
    # numpy's numbers among them.
    if isinstance(value, float):
        return float(value)
    return value


def decoded(kind: type[Made], value: Any, where: str, told: list[str]) -> Made:
    """Turn what JSON held into a data class.

    Parameters
    ----------
    kind : type
        The data class; its annotations say what is taken.
    value : object
        What was read.
    where : str
        What to call it in messages.
    told : list of str
        Gets what was left aside.

    Returns
    -------
    object
        Of that class.

    Raises
    ------
    ResultsError
        When something is missing, of another type, too large, or means nothing.
    """
    found: Made = _decoded(kind, value, where, told)
    return found


def _decoded(kind: Any, value: Any, where: str, told: list[str]) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kind = _chosen(get_args(kind), value)
    if kind is type(None) and value is None:
        return None
    if get_origin(kind) is Literal:
        if isinstance(value, str | int) and value in get_args(kind):
            return value
        raise _wrong(where, f"one of {', '.join(map(repr, get_args(kind)))}")
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value, where, told)
    if dataclasses.is_dataclass(get_origin(kind) or kind):
        return _data_class(kind, value, where, told)
    return _plain(kind, value, where)


def _chosen(kinds: tuple[Any, ...], value: Any) -> Any:
    """Choose among the types of a union by what JSON makes of each."""
    for kind in kinds:
        if value is None and kind is type(None):
            return kind
        if isinstance(value, list) and get_origin(kind) is tuple:
            return kind
        if isinstance(value, Mapping) and dataclasses.is_dataclass(
            get_origin(kind) or kind
        ):
            return kind
    return next(kind for kind in kinds if kind is not type(None))


def _tuple(kinds: tuple[Any, ...], value: Any, where: str, told: list[str]) -> Any:
    if not isinstance(value, list):
        raise _wrong(where, "a list")
    if kinds[-1] is Ellipsis:
        if len(value) > _MOST_ITEMS:
            raise _wrong(where, f"at most {_MOST_ITEMS:,} items")
        kinds = (kinds[0],) * len(value)
    elif len(kinds) != len(value):
        raise _wrong(where, f"{len(kinds)} items")
    return tuple(
        _decoded(kind, item, f"{where}[{number}]", told)
        for number, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _data_class(kind: Any, value: Any, where: str, told: list[str]) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object")
    hints = _hints(kind)
    if unknown := [str(key)[:_MOST_TOLD] for key in value if key not in hints]:
        told.append(f"{where}: {', '.join(unknown[:5])} is not known, and left aside.")
    given = {}
    for field in dataclasses.fields(get_origin(kind) or kind):
        if field.name in value:
            given[field.name] = _decoded(
                hints[field.name], value[field.name], f"{where}.{field.name}", told
            )
        elif field.default is dataclasses.MISSING:
            raise _wrong(where, f"an object with {field.name!r}")
    try:
        return kind(**given)
    except ResultsError as error:
        raise ResultsError(f"{where}: {error}") from error


def _hints(kind: Any) -> dict[str, Any]:
    """Return the types of the fields, of a generic class those that it was made for."""
    made = get_origin(kind) or kind
    chosen = dict(zip(getattr(made, "__parameters__", ()), get_args(kind), strict=True))
    return {
        name: hint[tuple(chosen[one] for one in hint.__parameters__)]
        if getattr(hint, "__parameters__", ())
        else chosen.get(hint, hint)
        for name, hint in get_type_hints(made).items()
    }


def _plain(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int | float) and not _is_bool(value):
        if abs(value) < math.inf and (isinstance(value, float) or _fits(value)):
            return float(value)
        raise _wrong(where, "a finite number")
    if kind is int and isinstance(value, int) and not _is_bool(value):
        if _fits(value):
            return value
        raise _wrong(where, "a smaller number")
    if kind is bool and _is_bool(value):
        return value
    if kind is str and isinstance(value, str):
        if len(value) <= _LONGEST_TEXT:
            return value
        raise _wrong(where, f"at most {_LONGEST_TEXT:,} letters")
    names = {float: "a number", int: "a whole number", bool: "true or false"}
    raise _wrong(where, names.get(kind, "a text"))


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _fits(value: int) -> bool:
    return abs(value) <= _LARGEST


def _wrong(where: str, wanted: str) -> ResultsError:
    return ResultsError(f"{where} has to be {wanted}.")


FORMAT = "napari-neurosynth-results workspace"
VERSION = 1
EXTENSION = ".nnr.json"

_MOST_BYTES = 8 << 20
#: Numbers of a list, each on its own line: no text of JSON holds a line break.
_NUMBERS = re.compile(r"\[\n\s+([-+0-9.eE,\s]+?)\n\s*\]")

_NOTHING = Description()
_USUAL = Naming()

Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class ImageLook:
    """How a map is colored: its threshold says how, unless a colormap was chosen.

    Attributes
    ----------
    faint : bool
        Whether what is below the threshold shines through.
    colormap : str
        One of napari's that was chosen instead; empty for that of the threshold.
    contrast_limits : pair of float, optional
        As they are.
    band : int, optional
        Where the threshold lies in a colormap that is made in steps.
    """

    faint: bool = False
    colormap: str = ""
    contrast_limits: tuple[float, float] | None = None
    band: int | None = None


@dataclass(frozen=True)
class LabelsLook:
    """How clusters are drawn.

    Attributes
    ----------
    contour : int
        Width of the outlines, 0 for filled clusters.
    only_chosen : bool
        Whether all others are hidden.
    chosen : voxel, optional
        The peak of the cluster that is outlined in white.
    colors : tuple of (i, j, k, color)
        By the voxel of the peak: number of the color, also of clusters that were seen
        before.
    """

    contour: int = 1
    only_chosen: bool = False
    chosen: Voxel | None = None
    colors: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class FociLook:
    """How foci are drawn: the slab in mm (None for all), and the studies lit up."""

    slab: float | None = None
    lit_up: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LayerLook:
    """One layer.

    Attributes
    ----------
    shows : str
        What, and `number`: which of the contents.
    name, visible, opacity
        As in napari.
    image, labels, foci
        What only such layers have.
    tried : tuple of ThresholdRequest
        Thresholds that were tried on a map, oldest first.
    tried_at : int
        Which of them is shown.
    """

    shows: Literal["underlay", "map", "clusters", "agreement", "foci"]
    number: int = 0
    name: str = ""
    visible: bool = True
    opacity: float = 1.0
    image: ImageLook | None = None
    labels: LabelsLook | None = None
    foci: FociLook | None = None
    tried: tuple[SavedRequest, ...] = ()
    tried_at: int = -1


@dataclass(frozen=True)
class View:
    """Where the viewer looks: plane, side, place in MNI mm, and napari's camera."""

    plane: Literal["axial", "coronal", "sagittal", "3D"] = "axial"
    side: Literal["neurological", "radiological", ""] = ""
    place: tuple[float, float, float] | None = None
    center: tuple[float, float, float] | None = None
    zoom: float | None = None
    angles: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class FilePlace:
    """A file or folder, and where it is as seen from the workspace file."""

    path: str
    beside: str = ""


@dataclass(frozen=True)
class Workspace:
    """All of it.

    Attributes
    ----------
    format, version : str, int
        What the file is.
    written_by : str
        The version of this package.
    files : tuple of FilePlace
        Every path that the contents name.
    contents : Description
        Results, maps, clusters, comparisons, foci.
    layers : tuple of LayerLook
        From the lowest to the topmost.
    active : int or None
        Which of them is active.
    view : View, optional
        Where the viewer looks.
    naming : Naming
        What names places and new clusters.
    """

    format: str
    version: int
    written_by: str = ""
    files: tuple[FilePlace, ...] = ()
    contents: Description = _NOTHING
    layers: tuple[LayerLook, ...] = ()
    active: int | None = None
    view: View | None = None
    naming: Naming = _USUAL


def with_paths(contents: Description, change: Callable[[str], str]) -> Description:
    """Change every path on this machine that a description names.

    Parameters
    ----------
    contents : Description
        The description.
    change : callable
        Old path -> new path; not called for links, ids and names.

    Returns
    -------
    Description
        A new one.
    """

    def changed(path: str) -> str:
        return change(path) if path else path

    def asked(one: SavedRequest) -> SavedRequest:
        place = one.place
        if place is None:
            return one
        return replace(one, place=replace(place, path=changed(place.path)))

    def clusters(one: Clusters) -> Clusters:
        return replace(
            one, asked=asked(one.asked), naming=named_paths(one.naming, change)
        )

    return replace(
        contents,
        sources=tuple(
            one if one.remote else replace(one, paths=tuple(map(changed, one.paths)))
            for one in contents.sources
        ),
        clusters=tuple(map(clusters, contents.clusters)),
        foci=tuple(
            replace(one, path=changed(one.path), annotation=changed(one.annotation))
            for one in contents.foci
        ),
    )


def named_paths(naming: Naming, change: Callable[[str], str]) -> Naming:
    """Change the paths of an atlas; what is known by name is none."""
    atlas = naming.atlas
    if atlas is None or not os.path.isabs(atlas):
        return naming
    names = change(naming.names) if naming.names else ""
    return replace(naming, atlas=change(atlas), names=names)


def write_workspace(workspace: Workspace, path: str, *, overwrite: bool) -> None:
    """Write a workspace; the file is whole or not there.

    Parameters
    ----------
    workspace : Workspace
        What to write.
    path : str
        Where.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When it exists or cannot be written.
    """
    document = encoded(workspace)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # File names on Linux may hold bytes that are no letters.
        text = json.dumps(document, indent=2, allow_nan=False)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)

    def write(partial: str) -> None:
        Path(partial).write_text(text + "\n", encoding="utf-8")

    write_whole(path, write, overwrite=overwrite)


def read_workspace(path: str) -> tuple[Workspace, list[str]]:
    """Read a workspace, and check all that it says.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    workspace : Workspace
        What it holds. That its numbers refer to something is not checked.
    told : list of str
        What was left aside.

    Raises
    ------
    ResultsError
        When it cannot be read, is something else, of another version, or broken.
    """
    document = _document(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ResultsError(f"{path} is no workspace of napari-neurosynth-results.")
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        written = str(document.get("written_by", "another version"))[:40]
        raise ResultsError(
            f"{path} has version {str(version)[:20]} of the format, written by "
            f"{written}; this is for version {VERSION}. Update the plugin, or save the "
            "workspace with an older one."
        )
    told: list[str] = []
    try:
        return decoded(Workspace, document, "workspace", told), told
    except ResultsError as error:
        raise ResultsError(f"{path} is broken. {error}") from error


def _document(path: str) -> Any:
    try:
        if not os.path.isfile(path):
            raise ResultsError(f"{path} is not a file.")
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > _MOST_BYTES:
        raise ResultsError(f"{path} is too large for a workspace.")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise ResultsError(f"{path} is nested too deeply for a workspace.") from None
    except ValueError as error:
        raise ResultsError(
            f"{path} is broken JSON ({str(error)[:120]}). Save it again."
        ) from error
