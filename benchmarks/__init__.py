"""Benchmarks: ratios against peers in one run; see results.md."""
