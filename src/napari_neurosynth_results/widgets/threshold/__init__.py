"""MOVER threshold."""
