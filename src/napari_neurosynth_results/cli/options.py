"""What commands share: options of one name and one meaning, progress on a terminal.

Help texts are here too; a command says only what it does with its sources, maps and
files, where that is not what the others do.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from napari_neurosynth_results.anatomy.atlas import Atlas
from napari_neurosynth_results.api.map_requests import MaskSource
from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.export.escaping import for_terminal, one_line
from napari_neurosynth_results.job import Meter, Progress
from napari_neurosynth_results.sources.atlases.find import find_atlas
from napari_neurosynth_results.statistics.clusters.active_parts import check_share
from napari_neurosynth_results.statistics.thresholds.request import (
    FirstLookThreshold,
    StatedDof,
    ThresholdRequest,
    build_threshold,
)
from napari_neurosynth_results.statistics.thresholds.threshold import (
    CRITERIA,
    Criterion,
    Threshold,
)

_CRITERIA: Mapping[Criterion, str] = {
    "value": "smallest value, in the map's own unit",
    "p": "largest p, by the map's own test",
    "q": "largest q (FDR-corrected p)",
    "bonferroni": "largest Bonferroni-corrected p",
}
#: What a source may be, for people.
SOURCE_FORMS = "a NiMARE folder, images, a zip, a NeuroVault or Compose link or id"
#: Options of a threshold; their names are those of `find_clusters`.
_THRESHOLD = (
    *CRITERIA,
    *("fdr", "tail", "connectivity", "min_voxels", "min_mm3"),
    *("tdp_alpha", "tdp_dependence"),
)


#: Parted by the last = that does not belong to degrees of freedom.
_NAME_AND_KIND = re.compile(
    r"(.+)(?<![\s,;]df)(?<![\s,;]dof)(?<![\s,;]df )(?<![\s,;]dof )=(.+)",
    re.I | re.S,
)


def add_kinds(command: Any) -> None:
    """Add what a user knows better than the names of files."""
    command.add_argument(
        "--kind",
        type=_kind,
        action="append",
        metavar="NAME=KIND",
        dest="kinds",
        help="what a map holds, where its name does not say so: z, t, p, logp, 1-p, "
        "label...; with tail, degrees of freedom and correction as in NAME='t "
        "two-tailed df=18 uncorrected'; NAME=to-MNI moves a map from Talairach to MNI "
        "space; NAME is * for all; may be given again",
    )


def kinds_from(options: argparse.Namespace) -> dict[str, str]:
    """Return what the user says that maps hold, by their names."""
    return dict(options.kinds or ())


def add_source(
    command: Any,
    *,
    metavar: str = "SOURCE",
    nargs: str | None = "+",
    what: str = SOURCE_FORMS,
) -> None:
    """Add what to open.

    Parameters
    ----------
    metavar : str
        What one of them is called.
    nargs : str, optional
        How many; None for exactly one.
    what : str
        What a source may be, where it is not all of `SOURCE_FORMS`.
    """
    command.add_argument("path", nargs=nargs, metavar=metavar, help=what)


def add_map(command: Any, what: str, *, several: bool = False) -> None:
    """Add which map to take.

    Parameters
    ----------
    what : str
        Which maps are meant, and how they are named.
    several : bool
        Whether it may be said more than once.
    """
    action = "append" if several else "store"
    command.add_argument("--map", metavar="NAME", action=action, help=what)


def add_out(
    command: Any, what: str, *, metavar: str = "DIR", required: bool = False
) -> None:
    """Add where to write.

    Parameters
    ----------
    what : str
        What is written, or what the place has to be.
    metavar : {"DIR", "FILE"}
        Whether it is a folder.
    required : bool
        Whether the command does nothing but write.
    """
    command.add_argument("--out", metavar=metavar, required=required, help=what)


def add_threshold(command: Any) -> None:
    """Add what is asked of maps: height, extent, directions."""
    asked = command.add_argument_group(
        "threshold",
        "without --value, --p, --q or --bonferroni each map has its first threshold: "
        "p <= .001, of a corrected map p_FWE or q <= .05",
    )
    height = asked.add_mutually_exclusive_group()
    for name, what in _CRITERIA.items():
        height.add_argument(f"--{name}", type=float, metavar="X", help=what)
    asked.add_argument(
        "--fdr",
        type=str.upper,
        choices=("BH", "BY"),
        default="BH",
        help="how q is computed: Benjamini-Hochberg or Benjamini-Yekutieli",
    )
    asked.add_argument(
        "--dof",
        type=_dof,
        metavar="N[,N]",
        help="degrees of freedom of a t or chi2 map; two, with a comma, of an F map",
    )
    asked.add_argument(
        "--tail",
        choices=("positive", "negative", "both", "auto"),
        default="auto",
        help="directions to keep; auto: both where both were tested",
    )
    asked.add_argument(
        "--connectivity",
        type=int,
        choices=(6, 18, 26),
        default=6,
        help="6 faces (nilearn, NiMARE), 18 edges (SPM), 26 corners (FSL)",
    )
    asked.add_argument(
        "--min-voxels",
        type=int,
        default=1,
        metavar="N",
        help="smallest cluster to keep, in voxels",
    )
    asked.add_argument(
        "--min-mm3", type=float, metavar="MM3", help="the same, as a volume in mm3"
    )


def add_tdp(command: Any) -> None:
    """Add how sure to be of how much of a cluster is active."""
    proven = command.add_argument_group(
        "true discovery proportion: at least so much of a cluster is active"
    )
    proven.add_argument(
        "--tdp-alpha",
        type=float,
        default=0.05,
        metavar="X",
        help="1 - confidence, for all clusters and thresholds together (default .05)",
    )
    proven.add_argument(
        "--tdp-dependence",
        choices=("positive", "any"),
        default="positive",
        help="of voxels on each other; any assumes nothing, and proves less",
    )


def add_active_parts(command: Any) -> None:
    """Add whether to look for the largest parts of which a share is active."""
    command.add_argument(
        "--active-parts",
        type=_share,
        metavar="SHARE",
        help="find the largest parts of clusters of which at least this share is "
        "active (.7 or 70%%)",
    )


def add_mask(command: Any) -> None:
    """Add where to look."""
    place = command.add_argument_group("where to look, and to count tests")
    mask = place.add_mutually_exclusive_group()
    mask.add_argument(
        "--mask", metavar="FILE", help="look only in this mask or region image"
    )
    mask.add_argument(
        "--mask-map",
        metavar="NAME",
        help="look only where this map of the same SOURCE survives --mask-p",
    )
    mask.add_argument(
        "--brain-mask",
        action="store_true",
        help="look only in the brain of the template",
    )
    place.add_argument(
        "--mask-p", type=float, metavar="P", help="the largest p of --mask-map"
    )
    place.add_argument(
        "--outside", action="store_true", help="look outside the mask instead"
    )


def add_atlas(command: Any) -> None:
    """Add what names clusters."""
    command.add_argument(
        "--atlas",
        metavar="NAME",
        default="default",
        help="atlas that names clusters, or none for numbers",
    )


def add_regions(command: Any) -> None:
    """Add whether to say where clusters lie."""
    command.add_argument(
        "--regions",
        action="store_true",
        help="say how much of each cluster lies in which region",
    )


def add_studies(command: Any, *, default: bool) -> None:
    """Add whether to say who is behind clusters.

    Parameters
    ----------
    default : bool
        Whether the command does it unasked.
    """
    command.add_argument(
        "--studies",
        action=argparse.BooleanOptionalAction,
        default=default,
        help="list the studies behind each cluster",
    )


def add_leave_one_out(command: Any) -> None:
    """Add whether to estimate a meta-analysis anew without each experiment."""
    command.add_argument(
        "--leave-one-out",
        action="store_true",
        help="estimate an ALE, MKDA or KDA anew without each experiment: in how many "
        "of these each cluster stands",
    )


def threshold_keywords(options: argparse.Namespace) -> dict[str, Any]:
    """Return the threshold as keywords of `find_clusters` and `run_batch`.

    Parameters
    ----------
    options : Namespace
        Of a command with `add_threshold`.

    Returns
    -------
    dict
        Height, directions and extent; no mask and no degrees of freedom.
    """
    return {name: getattr(options, name) for name in _THRESHOLD if name in options}


def mask_source(options: argparse.Namespace) -> MaskSource | None:
    """Return where to look, None for everywhere.

    Parameters
    ----------
    options : Namespace
        Of a command with `add_mask`.

    Returns
    -------
    MaskSource or None
        By name: no file is read, and no map.

    Raises
    ------
    ResultsError
        When options do not go together.
    """
    if (options.mask_p is None) != (options.mask_map is None):
        raise ResultsError("--mask-map and --mask-p go together: which map, and its p.")
    if options.outside and not (options.mask or options.mask_map):
        raise ResultsError("--outside needs --mask or --mask-map: outside of what?")
    if options.mask_map:
        return MaskSource("map", options.mask_map, options.mask_p, options.outside)
    if options.mask:
        return MaskSource("file", options.mask, outside=options.outside)
    return MaskSource("brain") if options.brain_mask else None


def request_from(
    options: argparse.Namespace,
) -> ThresholdRequest[Threshold | FirstLookThreshold, MaskSource]:
    """Return all that is asked of each map.

    Parameters
    ----------
    options : Namespace
        Of a command with `add_threshold` and `add_mask`.

    Returns
    -------
    ThresholdRequest
        For maps that need not be open yet.

    Raises
    ------
    ResultsError
        When it means nothing for any map.
    """
    threshold = build_threshold(**threshold_keywords(options))
    return ThresholdRequest(threshold, mask_source(options), options.dof)


def atlas_name(options: argparse.Namespace) -> str | None:
    """Return the name or path of the atlas, None for no names.

    Parameters
    ----------
    options : Namespace
        Of a command with `add_atlas`.
    """
    name: str = options.atlas
    return None if name == "none" else name


def atlas_from(options: argparse.Namespace) -> Atlas | None:
    """Open the atlas that names clusters.

    Parameters
    ----------
    options : Namespace
        Of a command with `add_atlas`.

    Raises
    ------
    ResultsError
        When it is not at hand or cannot be read.
    """
    name = atlas_name(options)
    return find_atlas(name) if name else None


def _kind(text: str) -> tuple[str, str]:
    """Read the name of a map and its kind; either may hold a = of its own."""
    found = _NAME_AND_KIND.fullmatch(text)
    if found is None:
        raise ValueError
    return found[1], found[2]


def _dof(text: str) -> StatedDof:
    """Read one number, or two with a comma between them."""
    numbers = [float(number) for number in text.split(",")]
    if len(numbers) > 2:
        raise ValueError
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _share(text: str) -> float:
    """Read a share, as a number or in percent."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        check_share(share)
    except (ValueError, ResultsError):
        raise argparse.ArgumentTypeError(
            f"a share is above 0 and at most 1, as .7 or 70%, not {text}"
        ) from None
    return share


class CheckedStream:
    """A stream to a terminal, which obeys nothing that names of others order.

    Attributes
    ----------
    unchecked : text stream
        Where it all goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unchecked = stream

    def write(self, text: str) -> int:
        """Write a text, control characters as what they are called."""
        return self.unchecked.write(for_terminal(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        """Be the stream in everything else."""
        return getattr(self.unchecked, name)


#: The line that tells a report, and what ends it.
_Line = Callable[[str, int, int | None], tuple[str, str]]


def terminal_progress(*, counted: bool = False) -> Progress | None:
    """Say on a terminal how far it is; a file or a pipe gets no such lines.

    Parameters
    ----------
    counted : bool
        Whether one thing is done after another, so that the time left can be told;
        else bytes come, of several downloads at once.
    """
    if not sys.stderr.isatty():
        return None
    line = _tell_things() if counted else _tell_bytes()
    # Our own order, to write the line anew, is obeyed; none in the name of a thing is.
    stream = getattr(sys.stderr, "unchecked", sys.stderr)

    def tell(what: str, done: int, total: int | None) -> None:
        text, end = line(one_line(what), done, total)
        print(f"\r\033[K{text}", end=end, file=stream, flush=True)

    return tell


def _tell_bytes() -> _Line:
    """Add up downloads; nothing is left of the line when all are there."""
    meter = Meter()

    def line(what: str, done: int, total: int | None) -> tuple[str, str]:
        meter.hear(what, done, total)
        of = f" of {meter.total:,}" if meter.total else ""
        return (f"{what}: {meter.done:,}{of}" if meter.parts else ""), ""

    return line


def _tell_things() -> _Line:
    """Tell how many are done, and how long the others will take."""
    start, before = time.monotonic(), -1

    def line(what: str, done: int, total: int | None) -> tuple[str, str]:
        nonlocal start, before
        total, left = total or done, ""
        if not done:
            # What has to be made ready is made once: the first of them starts now.
            start, before = time.monotonic(), 0
        elif before < 0:
            # What was done before took no time now.
            before = done - 1
        if 0 < done < total:
            each = (time.monotonic() - start) / (done - before)
            left = f", about {each * (total - done):.0f} s left"
        return f"{done} of {total}{left}: {what[:60]}", "" if done < total else "\n"

    return line
