"""Clusters: connected voxels above a threshold, their peaks, regions and table."""
