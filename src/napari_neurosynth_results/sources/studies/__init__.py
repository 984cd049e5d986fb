"""Files of studies: NIMADS, NiMARE datasets, Sleuth text."""
