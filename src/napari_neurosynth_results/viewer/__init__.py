"""Everything that knows napari; no Qt."""
