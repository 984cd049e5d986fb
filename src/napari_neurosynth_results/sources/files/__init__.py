"""MOVER files."""
