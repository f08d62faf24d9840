"""Duplicates and page types."""
