"""Massive (formerly Polygon.io): its flat files, from a folder or from its S3 endpoint."""
