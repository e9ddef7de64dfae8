"""Status, repair, scrub, decisions, simulation."""
