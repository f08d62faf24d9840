"""Detection, order and text metrics: pure functions."""
