"""Compaction, orphans, lost metadata."""
