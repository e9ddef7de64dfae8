"""Where files are, and what schemas, bounds and properties say."""
