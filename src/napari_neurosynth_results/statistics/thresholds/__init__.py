"""Thresholds: what may be asked of a map, and what survives."""
