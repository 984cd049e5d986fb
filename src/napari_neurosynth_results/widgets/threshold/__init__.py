"""The threshold form."""
