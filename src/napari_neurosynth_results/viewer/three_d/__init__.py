"""Three dimensions: brain, glass brain, cortex, clusters as surfaces."""
