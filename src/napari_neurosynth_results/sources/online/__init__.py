"""NeuroVault and Neurosynth Compose: links, records, maps that wait there."""
