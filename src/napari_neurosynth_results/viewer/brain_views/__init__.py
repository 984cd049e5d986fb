"""The brain as a whole: in 3D, as glass, as a cortical surface."""
