"""Comparison: overlap, agreement and difference of maps."""
