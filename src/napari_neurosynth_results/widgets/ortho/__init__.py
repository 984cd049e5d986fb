"""MOVER ortho."""
