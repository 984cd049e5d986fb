"""MOVER three_d."""
