"""Networks and normalizations to compare; nothing here measures."""
