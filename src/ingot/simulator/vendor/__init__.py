"""The market in each vendor's bytes, defects included."""
