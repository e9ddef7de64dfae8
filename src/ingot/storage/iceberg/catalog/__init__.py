"""The table pointers and how they move."""
