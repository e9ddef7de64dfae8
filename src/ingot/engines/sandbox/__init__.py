"""Runs the SQL of users in a process of its own."""
