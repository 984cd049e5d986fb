"""Arrays by what they hold: names for the types that functions hand to each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Int32Array = npt.NDArray[np.int32]
#: Positions in other arrays.
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
