"""HTML reports and drawn pages."""
