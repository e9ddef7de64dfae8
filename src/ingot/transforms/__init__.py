"""Transforms as data: SQL text, inputs, output and digest; written once, run by any engine."""
