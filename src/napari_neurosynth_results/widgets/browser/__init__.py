"""MOVER browser."""
