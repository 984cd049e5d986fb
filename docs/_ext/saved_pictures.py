"""Lets the gallery show the PNG files that an example saves beside itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sphinx_gallery.scrapers import figure_rst


def scrape(block: Any, variables: dict[str, Any], config: dict[str, Any]) -> str:
    """Move what a block of an example has saved to the gallery.

    Parameters
    ----------
    block : tuple
        Not used.
    variables : dict
        What sphinx-gallery knows of the example.
    config : dict
        That of the gallery.

    Returns
    -------
    str
        The reStructuredText that shows it.
    """
    moved = []
    for path in sorted(Path(variables["src_file"]).parent.glob("*.png")):
        target = variables["image_path_iterator"].next()
        shutil.move(path, target)
        moved.append(target)
    return figure_rst(moved, config["src_dir"])


def _get_sg_image_scraper() -> Any:
    """Be found by sphinx-gallery by the name of this module."""
    return scrape
