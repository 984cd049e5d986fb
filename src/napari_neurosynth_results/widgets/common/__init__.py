"""MOVER common."""
