"""Questions over HTTP that any REST connector asks: quotas, retries, redaction, pages, bundles."""
