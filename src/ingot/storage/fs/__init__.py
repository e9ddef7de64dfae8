"""Durable files: atomic writes, scratch, sealed names, fault points."""
