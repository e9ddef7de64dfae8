"""Own tables: a CSV or Parquet file, or a frame, of columns that its user declares."""
