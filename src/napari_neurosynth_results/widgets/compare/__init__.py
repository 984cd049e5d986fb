"""The comparison of maps."""
