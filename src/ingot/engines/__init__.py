"""Engines: each runs SQL over named relations and knows nothing of commits or vendors."""
