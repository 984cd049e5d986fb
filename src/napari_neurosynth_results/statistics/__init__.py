"""Numbers only: what a value is worth as p, and what a threshold keeps."""
