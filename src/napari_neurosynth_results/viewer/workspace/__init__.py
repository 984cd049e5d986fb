"""MOVER workspace."""
