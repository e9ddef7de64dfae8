"""What landed and what is done, cached in state.db."""
