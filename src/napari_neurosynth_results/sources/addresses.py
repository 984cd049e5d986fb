"""The promised import path for parsing links: others rely on it, so it stays here."""

from napari_neurosynth_results.sources.online.links import (
    Address,
    UnsupportedSource,
    parse_address,
)

__all__ = ("Address", "UnsupportedSource", "parse_address")
