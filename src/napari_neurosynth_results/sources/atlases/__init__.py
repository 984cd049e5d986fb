"""Atlases of others: where they are, their label images and names."""
