"""Rules on rows and schemas, and limits on versions."""
