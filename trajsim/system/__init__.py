"""What is asked of the operating system: files, folders, text for a terminal."""
