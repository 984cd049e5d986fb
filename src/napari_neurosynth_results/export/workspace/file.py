"""The workspace file: what a viewer holds and how it looks, as JSON for people too.

`docs/workspace.md` says what each entry means.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.atomic import write_text
from napari_neurosynth_results.export.workspace.contents import (
    Clusters,
    Description,
    Naming,
    SavedRequest,
)
from napari_neurosynth_results.maps.grid import Voxel
from napari_neurosynth_results.sources.placeholders import (
    JsonRefusedError,
    load_json,
    read_at_most,
)

if TYPE_CHECKING:
    from pydantic_core import ValidationError

Made = TypeVar("Made")

FORMAT = "napari-neurosynth-results workspace"
VERSION = 1
_MOST_BYTES = 8 << 20
#: More than any viewer holds.
_MOST_ITEMS = 10_000
_LONGEST_TEXT = 20_000
_LARGEST = 2**53
_MOST_TOLD = 60
#: Numbers of a list, each on its own line: no text of JSON holds a line break.
_NUMBERS = re.compile(r"\[\n\s+([-+0-9.eE,\s]+?)\n\s*\]")

_NOTHING = Description()
_USUAL = Naming()


@dataclass(frozen=True)
class ImageStyle:
    """How a map is colored: its threshold says how, unless a colormap was chosen.

    Attributes
    ----------
    faint : bool
        Whether what is below the threshold is shown as well.
    colormap : str
        One of napari's that was chosen instead; empty for that of the threshold.
    contrast_limits : pair of float, optional
        Those that were chosen instead of the threshold and the strongest value.
    """

    faint: bool = False
    colormap: str = ""
    contrast_limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class LabelsStyle:
    """How clusters are drawn.

    Attributes
    ----------
    only_chosen : bool
        Whether all others are hidden.
    chosen : voxel, optional
        The peak of the cluster that is outlined in white.
    colors : tuple of (i, j, k, color)
        By the voxel of the peak: number of the color, also of clusters that were seen
        before.
    parts : float, optional
        The largest parts are outlined of which at least this share is active.
    """

    only_chosen: bool = False
    chosen: Voxel | None = None
    colors: tuple[tuple[int, int, int, int], ...] = ()
    parts: float | None = None


@dataclass(frozen=True)
class FociStyle:
    """How foci are drawn: the slab in mm (None for all), and the studies lit up."""

    slab: float | None = None
    lit_up: tuple[str, ...] | None = None


@dataclass(frozen=True)
class LayerState:
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
    image: ImageStyle | None = None
    labels: LabelsStyle | None = None
    foci: FociStyle | None = None
    tried: tuple[SavedRequest, ...] = ()
    tried_at: int = -1


@dataclass(frozen=True)
class View:
    """Where the viewer looks: plane, side, place in MNI mm, and napari's camera.

    Attributes
    ----------
    surface : {"", "brain", "pial", "inflated"}
        What stands for the volumes in 3D.
    glass : bool
        Whether planes show the glass brain.
    ortho : {"", "center", "bottom"}
        Where three planes are shown: in place of the canvas, or below it.
    """

    plane: Literal["axial", "coronal", "sagittal", "3D"] = "axial"
    side: Literal["neurological", "radiological", ""] = ""
    place: tuple[float, float, float] | None = None
    center: tuple[float, float, float] | None = None
    zoom: float | None = None
    angles: tuple[float, float, float] | None = None
    surface: Literal["", "brain", "pial", "inflated"] = ""
    glass: bool = False
    ortho: Literal["", "center", "bottom"] = ""


@dataclass(frozen=True)
class PanelState:
    """What the panel shows.

    Attributes
    ----------
    tab : str
        The tab that is in front.
    compared : tuple of int
        The maps that are compared, in order.
    together : str
        How they are seen together, as the tab Compare calls it; empty where each is
        seen as it is.
    """

    tab: Literal["Clusters", "Maps", "Compare", "Views", "Export"] = "Clusters"
    compared: tuple[int, ...] = ()
    together: str = ""


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
    layers : tuple of LayerState
        From the lowest to the topmost.
    active : int or None
        Which of them is active.
    worked_with : int or None
        Which of them shows the map that is worked with, where the active one shows
        another thing.
    view : View, optional
        Where the viewer looks.
    naming : Naming
        What names places and new clusters.
    panel : PanelState, optional
        The panel, where it is open.
    """

    format: str
    version: int
    written_by: str = ""
    files: tuple[FilePlace, ...] = ()
    contents: Description = _NOTHING
    layers: tuple[LayerState, ...] = ()
    active: int | None = None
    worked_with: int | None = None
    view: View | None = None
    naming: Naming = _USUAL
    panel: PanelState | None = None


def change_paths(contents: Description, change: Callable[[str], str]) -> Description:
    """Change every path on this machine that a description names.

    Parameters
    ----------
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
            one, asked=asked(one.asked), naming=change_atlas_paths(one.naming, change)
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


def change_atlas_paths(naming: Naming, change: Callable[[str], str]) -> Naming:
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
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ResultsError
        When it exists or cannot be written.
    """
    document = encode(workspace)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)

    # File names on Linux may hold bytes that are no letters: JSON has a way for them.
    write_text(path, text + "\n", overwrite=overwrite)


def read_workspace(path: str) -> tuple[Workspace, list[str]]:
    """Read a workspace, and check all that it says.

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
        raise ResultsError(f"{path} is not a workspace of napari-neurosynth-results.")
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
        return decode(Workspace, document, "workspace", told), told
    except ResultsError as error:
        raise ResultsError(f"{path} is broken. {error}") from error


def _document(path: str) -> Any:
    try:
        if not os.path.isfile(path):
            raise ResultsError(f"{path} is not a file.")
        with open(path, "rb") as file:
            data = read_at_most(file, _MOST_BYTES)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > _MOST_BYTES:
        raise ResultsError(f"{path} is too large for a workspace.")
    try:
        return load_json(data)
    except JsonRefusedError as error:
        raise ResultsError(f"{path} {error}. Save it again.") from None
    except ValueError as error:
        raise ResultsError(
            f"{path} is broken JSON ({str(error)[:120]}). Save it again."
        ) from error


# Data classes <-> JSON. pydantic checks by their types whatever a file holds before
# anybody believes it; it is imported when a workspace is opened or saved.

#: What pydantic calls the branches of a union, which are no step of the way to a value.
_BRANCH = ""
#: What its errors ask for.
_WANTED = {
    "bool_type": "true or false",
    "dataclass_type": "an object",
    "float_type": "a number",
    "int_type": "a whole number",
    "literal_error": "one of {expected}",
    "missing": "an object with {key!r}",
    "string_type": "a text",
    "too_long": "{max_length} items",
    "too_short": "{min_length} items",
    "tuple_type": "a list",
}


def encode(value: Any) -> Any:
    """Turn a data class into what JSON can hold, without what has its default value.

    Parameters
    ----------
    value : data class
        Of tuples, texts, numbers, bools, None and such data classes.

    Returns
    -------
    dict
        Of dicts, lists and plain values.
    """
    from pydantic import TypeAdapter

    adapter = TypeAdapter(type(value))
    return adapter.dump_python(value, mode="json", exclude_defaults=True)


def decode(kind: type[Made], value: Any, where: str, told: list[str]) -> Made:
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
    from pydantic import TypeAdapter
    from pydantic_core import SchemaValidator, ValidationError

    validator = SchemaValidator(_strict(TypeAdapter(kind).core_schema))
    try:
        made: Made = validator.validate_python(value)
    except ValidationError as error:
        raise ResultsError(_deepest_problem(error, where)) from error
    told += _find_unknown_keys(made, value, where)
    return made


def _strict(schema: Any) -> Any:
    """Take no text for a number, no 0 for false, and nothing that is huge.

    pydantic's own strict mode takes lists for tuples, and objects for data classes,
    only where it parses the JSON itself, and then no file names that are no text.
    """
    from pydantic_core import core_schema

    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _strict(item) for key, item in schema.items()}
    kind = schema.get("type")
    if kind == "dataclass" and schema.get("post_init"):
        name = schema.pop("ref", None)
        return core_schema.no_info_wrap_validator_function(
            _make_checked, schema, ref=name
        )
    if kind == "union":
        schema["choices"] = [(choice, _BRANCH) for choice in schema["choices"]]
    if kind == "tuple":
        # Only the first problem is told: the others need no memory.
        schema["fail_fast"] = True
        if "variadic_item_index" not in schema:
            schema["min_length"] = len(schema["items_schema"])
    elif kind in {"bool", "float", "int", "str"}:
        schema["strict"] = True
    else:
        return schema
    return core_schema.no_info_before_validator_function(_check_measure, schema)


def _make_checked(value: Any, make: Callable[[Any], Any]) -> Any:
    try:
        return make(value)
    except ResultsError as error:
        # pydantic adds the place to such errors only.
        raise ValueError(str(error)) from error


def _check_measure(value: Any) -> Any:
    wanted = ""
    if isinstance(value, list) and len(value) > _MOST_ITEMS:
        wanted = f"at most {_MOST_ITEMS:,} items"
    elif isinstance(value, str) and len(value) > _LONGEST_TEXT:
        wanted = f"at most {_LONGEST_TEXT:,} letters"
    elif isinstance(value, int) and abs(value) > _LARGEST:
        wanted = "a smaller number"
    elif isinstance(value, float) and not math.isfinite(value):
        wanted = "a finite number"
    if wanted:
        from pydantic_core import PydanticCustomError

        raise PydanticCustomError("measure", wanted)
    return value


def _deepest_problem(error: ValidationError, where: str) -> str:
    """Say what is wrong and where; of the branches of a union, by the one meant."""
    problem = max(
        error.errors(include_url=False),
        key=lambda one: (
            len(one["loc"]) - (one["type"] == "missing"),
            not one["type"].endswith(("_type", "missing")),
        ),
    )
    kind, context = problem["type"], problem.get("ctx", {})
    steps = [step for step in problem["loc"] if step != _BRANCH]
    if kind == "missing":
        context = {"key": steps.pop()}
    elif kind == "literal_error":
        context = {"expected": context["expected"].replace(" or ", ", ")}
    place = where + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps
    )
    if kind == "value_error":
        return f"{place}: {context['error']}"
    wanted = _WANTED.get(kind) or problem["msg"]
    return f"{place} has to be {wanted.format_map(context)}."


def _find_unknown_keys(made: Any, value: Any, where: str) -> Iterator[str]:
    """Tell what no field takes."""
    if isinstance(made, tuple):
        for number, (item, given) in enumerate(zip(made, value, strict=True)):
            yield from _find_unknown_keys(item, given, f"{where}[{number}]")
    elif is_dataclass(made):
        taken = {one.name: getattr(made, one.name) for one in fields(made)}
        if unknown := [str(key)[:_MOST_TOLD] for key in value if key not in taken]:
            yield f"{where}: {', '.join(unknown[:5])} is not known and was ignored."
        for name, item in taken.items():
            if name in value:
                yield from _find_unknown_keys(item, value[name], f"{where}.{name}")
