"""MOVER web."""
