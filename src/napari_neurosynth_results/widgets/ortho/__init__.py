"""Three planes at once."""
