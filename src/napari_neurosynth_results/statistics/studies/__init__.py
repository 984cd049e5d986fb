"""MOVER studies."""
