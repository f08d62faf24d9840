"""Detections and readings joined by page id, scored, and written as DataSpecs."""
