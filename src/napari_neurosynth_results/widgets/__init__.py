"""magicgui and Qt, thin: read the form, call the rooms below, show the answer."""
