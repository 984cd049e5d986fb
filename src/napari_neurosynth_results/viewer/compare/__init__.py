"""MOVER compare."""
