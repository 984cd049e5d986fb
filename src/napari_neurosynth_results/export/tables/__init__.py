"""Tables: of clusters and comparisons, for programs and for papers."""
