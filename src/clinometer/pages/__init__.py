"""Pictures, pages and tables of what the store holds; nothing here trains."""
