"""What Ingot does: the only place that wires connectors, storage, engines and transforms."""
