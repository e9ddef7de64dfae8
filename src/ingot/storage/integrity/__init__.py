"""Reads every byte, names what is damaged, and heals it."""
