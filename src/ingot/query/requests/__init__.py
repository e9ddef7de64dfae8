"""From a request to SQL."""
