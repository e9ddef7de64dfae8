"""How bytes are fetched: downloads, local copies, HTTP."""
