"""Iceberg tables: layout, catalog, read, write, maintenance."""
