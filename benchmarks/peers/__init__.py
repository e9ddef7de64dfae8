"""The same work done by other systems, each written as its own users would write it."""
