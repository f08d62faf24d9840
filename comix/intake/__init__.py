"""Containers in, page images and the page table out."""
