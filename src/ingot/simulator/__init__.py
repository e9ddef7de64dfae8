"""A synthetic market with known truth, written in each vendor's own format."""
