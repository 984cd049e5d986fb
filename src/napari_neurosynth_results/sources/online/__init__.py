"""MOVER online."""
