"""Ingest, build and backfill as one run."""
