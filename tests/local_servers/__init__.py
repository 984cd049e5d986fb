"""NeuroVault, Neurosynth Compose and NeuroStore on this machine, with all their faults.

One server thread answers as the three sites do, in the shapes of their documents, and
records what it was asked. Nothing leaves the machine.
"""

from local_servers.faults import Fault
from local_servers.files import label_xml, nifti_bytes, png_bytes
from local_servers.server import LocalServers

__all__ = ("Fault", "LocalServers", "label_xml", "nifti_bytes", "png_bytes")
