"""Where in the brain: the underlay that everything is drawn on."""
