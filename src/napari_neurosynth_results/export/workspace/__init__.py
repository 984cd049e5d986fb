"""Workspaces as files and as Python scripts."""

#: By which a workspace is known, before anything of it is loaded.
EXTENSION = ".nnr.json"
