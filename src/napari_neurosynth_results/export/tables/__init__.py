"""MOVER tables."""
