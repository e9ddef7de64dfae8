"""Connectors: each knows one vendor's bytes and nothing of tables, commits or other vendors."""
