"""``python -m napari_neurosynth_results.cli``."""

import sys

from napari_neurosynth_results.cli.main import main

sys.exit(main())
