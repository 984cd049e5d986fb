"""Image files: found in folders, read, the right way up."""
