"""The page factory: endless labelled comic pages composed from a layout grammar and real art."""
