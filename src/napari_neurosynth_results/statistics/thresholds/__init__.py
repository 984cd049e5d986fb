"""MOVER thresholds."""
