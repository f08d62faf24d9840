"""The files of other tools: what they hold of a page, read into one neutral model and written out of it."""
