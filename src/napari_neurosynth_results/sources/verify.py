"""Whether what was downloaded is an image, and all of it.

A server that breaks off, or that answers with a page, must be found out before a file
is kept: once it is in the cache, nobody asks for it again.
"""

from __future__ import annotations

from pathlib import Path

from napari_neurosynth_results.errors import ResultsError
from napari_neurosynth_results.sources.inflate import inflated_length, is_gzip
from napari_neurosynth_results.sources.nifti import DEFAULT_LIMIT, open_image
from napari_neurosynth_results.sources.volumes import refusal


def check_image(
    path: Path,
    expected_bytes: int = 0,
    *,
    what: str = "",
    max_bytes: int = DEFAULT_LIMIT,
) -> None:
    """Refuse a file that is not a whole image.

    Parameters
    ----------
    path : Path
        The file; its extension is one of an image.
    expected_bytes : int
        How long it has to be; 0 when that is not known.
    what : str
        What to call it in messages, instead of its path.
    max_bytes : int
        Refuse images that would need more memory than this, and inflate no further.

    Raises
    ------
    ResultsError
        With the reason, when its length is wrong, its gzip stream breaks off or fails
        its check sum, or its header is not one of an image that can be opened.
    """
    try:
        length = path.stat().st_size
        if 0 < expected_bytes != length:
            raise ResultsError(
                f"{path} has {length:,} bytes instead of {expected_bytes:,}. "
                "Download it again."
            )
        # The header first: it is cheap, and says best what a wrong file is.
        open_image(str(path), max_bytes)
        if is_gzip(str(path)) and inflated_length(str(path), max_bytes) > max_bytes:
            raise ResultsError(
                f"{path} inflates to more than {max_bytes:,} bytes. It was not kept."
            )
    except Exception as error:  # as for opening: nibabel raises many
        told = refusal(str(path), error)
        if not what:
            raise told from error
        raise ResultsError(str(told).replace(str(path), what)) from error
