"""Facts in tables; docs/data.md says how they are written, archpatch.tables reads them."""
