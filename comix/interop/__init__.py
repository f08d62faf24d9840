"""Foreign formats in and out of a workspace."""
