"""NeuroVault, Neurosynth Compose and NeuroStore on this machine, with all their faults.

One server answers as the three sites do, in the shapes of their documents, and records
what it was asked. Nothing leaves the machine. ``python -m local_servers`` serves the
sample, for trying things by hand.
"""

from local_servers.compose import MetaAnalysis
from local_servers.faults import Fault
from local_servers.files import label_xml, nifti_bytes, png_bytes
from local_servers.neurovault import Collection
from local_servers.server import LocalServers

__all__ = (
    "Collection",
    "Fault",
    "LocalServers",
    "MetaAnalysis",
    "label_xml",
    "nifti_bytes",
    "png_bytes",
)
