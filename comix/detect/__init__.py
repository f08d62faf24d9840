"""Panel detectors: page image in, scored panel boxes out."""
