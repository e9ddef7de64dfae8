"""Tables as data: every schema, DDL and reference page is derived from these objects."""
