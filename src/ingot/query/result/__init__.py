"""From an Arrow result to frames, text and files."""
