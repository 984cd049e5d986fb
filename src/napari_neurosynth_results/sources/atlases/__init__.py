"""MOVER atlases."""
