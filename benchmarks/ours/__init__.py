"""Ingot's own steps, through the same doors that its users take."""
