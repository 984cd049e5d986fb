"""The fixed name under which links are parsed, and what comes of it."""

from napari_neurosynth_results.sources.online.links import (
    Address,
    UnsupportedSource,
    parse_address,
)

__all__ = ("Address", "UnsupportedSource", "parse_address")
