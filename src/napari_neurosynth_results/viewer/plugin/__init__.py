"""What napari calls: reader, writer, commands, messages."""
