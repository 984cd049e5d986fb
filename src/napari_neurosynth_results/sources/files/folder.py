"""A folder, one file or several files on disk -> `ResultSet`.

Only headers are read here; the voxels follow when somebody looks at a map.
"""

from __future__ import annotations

import io
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.maps.entry import MapFile
from napari_neurosynth_results.maps.grid import Voxels
from napari_neurosynth_results.maps.kinds import INTENT_KINDS, MapKind
from napari_neurosynth_results.maps.names import split_extension
from napari_neurosynth_results.maps.programs import Reading, reading_of
from napari_neurosynth_results.maps.results import ResultSet
from napari_neurosynth_results.maps.studies import NO_STUDIES, LazyStudies, Studies
from napari_neurosynth_results.sources.files.images import DEFAULT_LIMIT, open_image
from napari_neurosynth_results.sources.files.safe_names import legible
from napari_neurosynth_results.sources.files.surface_files import (
    gifti_sentence,
    is_gifti,
)
from napari_neurosynth_results.sources.files.volumes import VolumeFile
from napari_neurosynth_results.sources.placeholders import (
    read_at_most,
    refuse_placeholder,
    what_is_there,
)

if TYPE_CHECKING:
    import pandas as pd

_IMAGE_EXTENSIONS = (".nii.gz", ".nii", ".hdr", ".img", ".mgz", ".mgh")
#: Far above any real methods text or table; keeps a wrong file from filling memory.
_MOST_TEXT = 1 << 20
_MOST_TABLE = 64 << 20
_MOST_COLUMNS = 5000
_MOST_CELLS = 5_000_000
#: Beyond this many images a folder is a data set, not a result.
_MOST_IMAGES = 1000
_PICKLES = (".pkl", ".pkl.gz")
_PICKLE = (
    "{name} was not read: a pickle can run any code when it is opened. "
    "The maps and tables beside it hold the same results."
)


def is_image(name: str) -> bool:
    """Tell by its name whether a file is an image this package may open."""
    return name.lower().endswith(_IMAGE_EXTENSIONS) and not name.startswith(".")


def open_folder(path: str, max_bytes: int = DEFAULT_LIMIT) -> ResultSet:
    """Open the maps, tables and texts of one folder.

    Parameters
    ----------
    path : str
        A NiMARE output folder, or any folder of maps; sub-folders are not searched.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    ResultSet
        With ``problems`` for each file that could not be opened.

    Raises
    ------
    ResultsError
        When the folder holds no map that can be opened.
    """
    try:
        # Hidden files are the system's: macOS leaves ._z.nii.gz beside each z.nii.gz.
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except OSError as error:
        raise ResultsError(f"{path} cannot be listed: {error.strerror}.") from error
    images = [os.path.join(path, name) for name in _without_pairs(names)]
    if not images:
        raise ResultsError(_no_map(path, names))
    problems = _surfaces(names)
    if len(images) > _MOST_IMAGES:
        problems.append(
            f"{path} holds {len(images):,} images; the first {_MOST_IMAGES:,} were "
            "opened. Move what belongs together to a folder of its own."
        )
    problems += [_PICKLE.format(name=name) for name in names if name.endswith(_PICKLES)]
    methods, references = read_texts(path, problems)
    return _result_set(
        images[:_MOST_IMAGES],
        max_bytes,
        problems,
        title=legible(os.path.basename(os.path.abspath(path))),
        source=path,
        tables=list_tables(path),
        methods=methods,
        references=references,
        studies=_studies_beside(path, names),
    )


def _studies_beside(path: str, names: Sequence[str]) -> LazyStudies:
    """Find the studyset of a folder, if it has one and no more; read on first use."""
    found = [
        name
        for name in names
        if name.lower().endswith(".json")
        and "studyset" in name.lower()
        and "annotation" not in name.lower()
    ]
    if len(found) != 1:
        return NO_STUDIES
    return LazyStudies(
        partial(_read_studies, os.path.join(path, found[0])), remote=False
    )


def _read_studies(path: str) -> Studies:
    from napari_neurosynth_results.sources.studies.study_files import open_included

    return open_included(path)


def read_texts(path: str, problems: list[str]) -> tuple[str, str]:
    """Read the methods text and the references in a folder.

    Parameters
    ----------
    problems : list of str
        Gets what could not be read.

    Returns
    -------
    methods, references : str
        Empty when there are none.
    """
    names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    methods, references = (
        _texts(
            [os.path.join(path, name) for name in names if name.endswith(end)], problems
        )
        for end in ("boilerplate.txt", "references.bib")
    )
    return methods, references


def list_tables(path: str) -> dict[str, Callable[[], pd.DataFrame]]:
    """List the tables in a folder: file stem -> function that reads it."""
    return {
        legible(name[: -len(".tsv")]): partial(read_table, os.path.join(path, name))
        for name in os.listdir(path)
        if name.endswith(".tsv") and not name.startswith(".")
    }


def open_files(paths: Sequence[str], max_bytes: int = DEFAULT_LIMIT) -> ResultSet:
    """Open one image file or several as one result set.

    Parameters
    ----------
    paths : sequence of str
        Image files. The maps beside them are left alone: what is opened alone is judged
        alone.
    max_bytes : int
        Refuse files that would need more memory than this.

    Returns
    -------
    ResultSet
        With ``problems`` for each file that could not be opened.

    Raises
    ------
    ResultsError
        When none of the files can be opened.
    """
    problems = [
        _not_an_image(path) for path in paths if not is_image(os.path.basename(path))
    ]
    images = [path for path in paths if is_image(os.path.basename(path))]
    images = _without_pairs(list(dict.fromkeys(images)))
    first = os.path.abspath(paths[0])
    title = split_extension(os.path.basename(first))[0]
    if len(paths) > 1:
        title = os.path.basename(os.path.dirname(first))
    title = legible(title)
    return _result_set(
        images, max_bytes, problems, title=title, source=", ".join(map(str, paths))
    )


def _result_set(
    images: Sequence[str],
    max_bytes: int,
    problems: list[str],
    *,
    title: str,
    source: str,
    tables: dict[str, Callable[[], pd.DataFrame]] | None = None,
    methods: str = "",
    references: str = "",
    studies: LazyStudies = NO_STUDIES,
) -> ResultSet:
    files: dict[str, MapFile] = {}
    for image in images:
        try:
            volumes = open_image(image, max_bytes)
        except ResultsError as error:
            problems.append(str(error))
            continue
        for volume in volumes:
            file = make_map_file(volume, taken=files)
            files[file.key] = file
    if not files:
        raise ResultsError(
            "\n".join(problems)
            if problems
            else f"{source} holds no map that can be opened."
        )
    return ResultSet(
        list(files.values()),
        title=title,
        source=source,
        problems=problems + _grouped_notices(files.values()),
        tables=tables or {},
        methods=methods.strip(),
        references=references.strip(),
        studies=studies,
    )


def make_map_file(
    volume: VolumeFile,
    *,
    taken: Collection[str] = (),
    key: str = "",
    filename: str = "",
    map_type: str = "",
    label: str = "",
    from_server: bool = False,
    reading: Reading | None = None,
) -> MapFile:
    """Say what a volume of a file is.

    Parameters
    ----------
    taken : collection of str
        Keys that other maps of the set have.
    key, filename : str
        Key of the map and name of its file, where the file on disk has another name.
    map_type, label : str
        NeuroVault's word for the kind, and what its uploader called the map.
    from_server : bool
        Whether NeuroVault gave the file its name.
    reading : Reading, optional
        What it holds, where that is known better.

    Returns
    -------
    MapFile
        For a `ResultSet`.
    """
    # Names become titles of layers and figures, which take letters only.
    base = legible(filename or os.path.basename(volume.path))
    stem = split_extension(base)[0]
    intent = volume.intent
    reading = reading or reading_of(
        base, intent.code, map_type, from_server=from_server
    )
    kind = reading.kind
    # Made anew, it is made of the volume as it is stored: nothing is moved twice.
    stored = volume
    if reading.to_mni:
        volume = volume.moved_to_mni()
    number = f"#{volume.index + 1}" if volume.count > 1 else ""
    # z.nii beside z.nii.gz, or the same name in two folders of a list.
    names = [(key or stem) + number, base + number, volume.path + number]
    told_by_server = reading.word == "NeuroVault"
    return MapFile(
        key=next((name for name in names if name not in taken), names[-1]),
        name=reading.name,
        kind=kind,
        grid=volume.grid,
        path=volume.path,
        source=_Voxels(
            volume,
            kind,
            # Moved voxels keep the values that a test gave, so that its maps agree.
            _may_interpolate(reading) and not reading.to_mni,
            doubted=map_type if told_by_server and kind.row.is_probability else "",
        ),
        notices=(*volume.notices, *_contradictions(volume, reading, stem)),
        dof=_dof(volume, reading),
        label=label,
        stated=reading,
        remade=partial(_remade, stored, filename, label),
    )


def _contradictions(volume: VolumeFile, reading: Reading, stem: str) -> Iterator[str]:
    """Say where name and header speak of two statistics: one of them is left over."""
    header = INTENT_KINDS.get(volume.intent.code)
    if header is None or reading.word not in ("name", "NeuroVault"):
        return
    # How p is written a name tells better, and a header of many volumes is of none.
    formulas = header.row.p, reading.kind.row.p
    of_tests = all(kind.row.has_p for kind in (header, reading.kind))
    if not of_tests or volume.count > 1 or formulas[0] is formulas[1]:
        return
    if all(formula.states_p for formula in formulas):
        return
    who = "NeuroVault" if reading.word == "NeuroVault" else "its name"
    yield (
        f"{stem}: {who} says that it holds {reading.kind}, its header {header}. It is "
        f"taken for {reading.kind}; if the header is right, say so: --kind "
        f"{stem}={header}, or This map holds... in the viewer."
    )


def _dof(volume: VolumeFile, reading: Reading) -> float | tuple[float, float] | None:
    """Say the degrees of freedom: the user's word, else the header's."""
    if reading.dof is not None:
        return reading.dof
    # A name may tell better than the header what the numbers are.
    fits = reading.kind is INTENT_KINDS.get(volume.intent.code)
    return volume.intent.dof if fits else None


def _remade(volume: VolumeFile, filename: str, label: str, reading: Reading) -> MapFile:
    return make_map_file(volume, filename=filename, label=label, reading=reading)


def _may_interpolate(reading: Reading) -> bool:
    # Each cluster of a cluster-level map carries one value: between two there is none.
    level = reading.level or (reading.name.level if reading.name else None)
    return reading.kind.may_interpolate and level != "cluster"


@dataclass(frozen=True)
class _Voxels:
    """The voxels of one volume, read the way its kind demands."""

    volume: VolumeFile
    kind: MapKind
    smooth: bool
    #: NeuroVault's word, where nothing else says that the numbers are probabilities.
    doubted: str = ""

    def read(self) -> tuple[Voxels, tuple[str, ...]]:
        voxels, notices = self.volume.read(self.kind, self.smooth)
        if self.doubted:
            self._check_range(voxels)
        return voxels, notices

    def _check_range(self, voxels: Voxels) -> None:
        """Refuse what uploaders call a P map although its values are no p."""
        lowest = float(np.nanmin(voxels, initial=0))
        highest = float(np.nanmax(voxels, initial=0))
        least, most = self.kind.row.possible
        if lowest < least or highest > most:
            raise ResultsError(
                f"{os.path.basename(self.volume.path)}: NeuroVault calls it a "
                f"{self.doubted}, but its values run from {lowest:.3g} to "
                f"{highest:.3g}: they are not probabilities. "
                f"Open {self.volume.path} alone to see the numbers."
            )


def _without_pairs(names: Sequence[str]) -> list[str]:
    """List images among names or paths, each .hdr/.img pair once."""
    images = [name for name in names if is_image(os.path.basename(name))]
    headers = {name[:-4] for name in images if name.lower().endswith(".hdr")}
    return [
        name
        for name in images
        if not (name.lower().endswith(".img") and name[:-4] in headers)
    ]


def _grouped_notices(files: Iterable[MapFile]) -> list[str]:
    """Say once what holds for many files."""
    where: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        for notice in file.notices:
            name, _, text = notice.partition(": ")
            if name not in where[text]:
                where[text].append(name)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {text}"
        for text, names in where.items()
    ]


def _not_an_image(path: str) -> str:
    if not os.path.lexists(path):
        return f"{path} does not exist. Check the path."
    if is_gifti(path):
        return gifti_sentence(path)
    if os.path.islink(path) and not os.path.exists(path):
        return what_is_there(path) or f"{path} does not exist. Check the path."
    known = ", ".join(_IMAGE_EXTENSIONS)
    return f"{path} is not an image this plugin knows ({known})."


def _surfaces(names: Sequence[str]) -> list[str]:
    """Say once of the surfaces in a folder why they are left."""
    found = [name for name in names if is_gifti(name)]
    if not found:
        return []
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return [gifti_sentence(found[0]).replace(found[0], f"{found[0]}{more}", 1)]


def _no_map(path: str, names: Sequence[str]) -> str:
    if surfaces := _surfaces(names):
        return f"{path} holds no map. {surfaces[0]}"
    inside = [name for name in names if _holds_image(os.path.join(path, name))]
    if inside:
        some = ", ".join(inside[:3]) + (", ..." if len(inside) > 3 else "")
        return (
            f"{path} holds no map itself; its sub-folders do ({some}). "
            "Open one of them."
        )
    if any(name.endswith(_PICKLES) for name in names):
        return (
            f"{path} holds a pickle but no map. Pickles are never read, because they "
            "can run any code; write the maps with NiMARE's MetaResult.save_maps first."
        )
    return (
        f"{path} holds no map ({', '.join(_IMAGE_EXTENSIONS)}). "
        "Open the folder that NiMARE wrote its .nii.gz files to."
    )


def _holds_image(path: str) -> bool:
    try:
        return any(map(is_image, os.listdir(path)))
    except OSError:  # not a folder, or one that may not be looked into
        return False


def _texts(paths: Sequence[str], problems: list[str]) -> str:
    """Join texts; of those beyond what a result has nothing is read."""
    found: list[str] = []
    for path in paths:
        if sum(map(len, found)) >= _MOST_TEXT:
            problems.append(f"{path} was not read: there is too much text before it.")
            break
        found.append(_text(path, problems))
    return "\n".join(found)


def _text(path: str, problems: list[str]) -> str:
    try:
        refuse_placeholder(path)
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_TEXT)
    except ResultsError as error:
        problems.append(str(error))
        return ""
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}.")
        return ""


def refuse_large_table(
    data: bytes,
    what: str,
    most_bytes: int = _MOST_TABLE,
    most_cells: int = _MOST_CELLS,
) -> None:
    """Refuse a table of more bytes, columns or cells than results have.

    Parameters
    ----------
    data : bytes
        Its text, tabs between cells: a column is made for each tab of a line, and takes
        some kilobytes however little is in it.
    what : str
        What to call it, to begin a sentence with.
    most_bytes, most_cells : int
        How large it may be.

    Raises
    ------
    ResultsError
        When it is too large.
    """
    lines = data.count(b"\n") + data.count(b"\r") + 1
    tabs = data.count(b"\t")
    widest = max(map(_count_tabs, data.splitlines()), default=0) if tabs else 0
    if (
        len(data) > most_bytes
        or widest > _MOST_COLUMNS
        # What a line lacks is filled up to the width of all.
        or lines * (widest + 1) > most_cells
    ):
        raise ResultsError(f"{what} is too large for a table of results.")


def _count_tabs(line: bytes) -> int:
    return line.count(b"\t")


def read_table(
    path: str,
    most_bytes: int = _MOST_TABLE,
    most_cells: int = _MOST_CELLS,
    **options: Any,
) -> pd.DataFrame:
    """Read a tab-separated table of bounded size.

    Parameters
    ----------
    most_bytes, most_cells : int
        How large it may be.
    **options
        Of `pandas.read_csv`.

    Returns
    -------
    pandas.DataFrame
        The table.

    Raises
    ------
    ResultsError
        When it is too large, cannot be read, or is none.
    """
    import pandas as pd

    refuse_placeholder(path)
    try:
        with open(path, "rb") as file:
            data = read_at_most(file, most_bytes)
        refuse_large_table(data, path, most_bytes, most_cells)
        table: pd.DataFrame = pd.read_csv(io.BytesIO(data), sep="\t", **options)
        return table
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} cannot be read as a table: {error}.") from error
