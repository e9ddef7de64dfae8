"""Everything that lasts: landed bytes, the ledger, Iceberg tables and their commits."""
