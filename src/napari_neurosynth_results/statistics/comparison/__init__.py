"""MOVER comparison."""
