"""The importer in this installation: what carries imports on, and what it asks of the rest of the house."""
