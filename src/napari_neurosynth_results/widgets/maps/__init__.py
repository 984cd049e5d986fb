"""The maps of what is open, what is known of them, and opening more."""
