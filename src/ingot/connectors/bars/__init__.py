"""Own bars: a CSV or Parquet file, or a frame, loaded like any vendor's files."""
