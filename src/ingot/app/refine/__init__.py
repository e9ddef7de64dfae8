"""From bronze to silver and gold: planner and executor."""
