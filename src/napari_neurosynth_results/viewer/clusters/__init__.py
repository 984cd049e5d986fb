"""Clusters on screen: their layers, colors, choice and readout."""
