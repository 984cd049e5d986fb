"""Where in the brain: regions, coordinates, the template, surfaces."""
