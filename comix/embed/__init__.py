"""Checkpoint and pages in, zarr store out."""
