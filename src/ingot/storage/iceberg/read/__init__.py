"""From a snapshot to a plan of data files."""
