"""What is in a lake: markets, datasets, units, and their state in the ledger."""
