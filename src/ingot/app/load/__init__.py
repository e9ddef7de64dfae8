"""From a source to committed bronze."""
