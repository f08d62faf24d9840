"""Index, query, result page."""
