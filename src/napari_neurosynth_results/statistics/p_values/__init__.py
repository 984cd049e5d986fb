"""MOVER p_values."""
