"""Data files, snapshots and the one commit function."""
