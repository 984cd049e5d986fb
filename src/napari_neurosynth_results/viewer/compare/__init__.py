"""Maps on screen together."""
