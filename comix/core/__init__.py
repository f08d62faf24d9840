"""Geometry, page model, reading order, page ids, journal, errors and the stage runner. Knows nothing above it."""
