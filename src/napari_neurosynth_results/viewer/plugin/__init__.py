"""MOVER plugin."""
