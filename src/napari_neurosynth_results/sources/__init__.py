"""From a path to a `ResultSet`: everything that touches files."""
