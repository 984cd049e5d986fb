"""MOVER report."""
