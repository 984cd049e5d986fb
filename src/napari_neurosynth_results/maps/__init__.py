"""What one map and one result set are, without files, statistics or napari."""
