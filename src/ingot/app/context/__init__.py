"""The opened lake and what every use case shares: engines, resources, runs, reports."""
