"""``python -m napari_neurosynth_results.cli``."""

import sys

from napari_neurosynth_results.cli import main

if __name__ == "__main__":
    sys.exit(main())
