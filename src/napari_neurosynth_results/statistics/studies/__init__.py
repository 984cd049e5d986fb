"""Studies: which foci and experiments are behind a cluster."""
