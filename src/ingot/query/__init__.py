"""From a request to an answer bound to a moment."""
