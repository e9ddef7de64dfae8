"""What the lake holds: markets, datasets, units, and what the ledger says of them."""
