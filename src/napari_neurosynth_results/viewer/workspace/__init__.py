"""Workspaces: what a viewer shows, described and brought back."""
