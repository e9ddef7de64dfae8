"""What sources of reference data share: rows, fields, one Parquet file, one kind of source."""
