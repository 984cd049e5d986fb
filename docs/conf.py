"""How Sphinx makes the site of the documentation, by ``make site``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import napari_neurosynth_results

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# The window of the gallery shows the defaults, not somebody's preferences.
os.environ["NAPARI_CONFIG"] = ""

project = "napari-neurosynth-results"
author = "The napari-neurosynth-results developers"
version = release = napari_neurosynth_results.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_ext", "_templates", "examples"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = project
html_show_sourcelink = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
copybutton_exclude = ".linenos, .gp, .go"

# Links from page to page name headings as GitHub does.
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc has them in words
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/show_",
    "ignore_pattern": r"/_",
    "image_scrapers": ("saved_pictures",),
    "reset_modules": (),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
}
