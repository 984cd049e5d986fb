"""The report: one HTML file, with the text for a methods section."""
