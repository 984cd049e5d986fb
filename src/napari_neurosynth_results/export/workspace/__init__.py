"""Workspaces as files and as Python scripts."""
