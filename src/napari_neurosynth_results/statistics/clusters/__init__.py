"""MOVER clusters."""
