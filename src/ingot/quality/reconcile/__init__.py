"""Compares two sources and finds causes."""
