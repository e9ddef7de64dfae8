"""One HTTP client: quota, retry, pages, redaction, errors."""
