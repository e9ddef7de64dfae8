"""Runs transforms: DuckDB, Spark, transpilation."""
