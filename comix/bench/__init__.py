"""Measuring against ground truth: `evaluate`, and the saved tables of `reproduce`."""
