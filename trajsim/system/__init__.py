"""Operating system: files, folders, text for a terminal."""
