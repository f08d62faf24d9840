"""Detectors of others behind the one interface: optional, each under its own licence, with weights that users bring."""
