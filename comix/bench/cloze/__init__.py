"""Text cloze: which of some texts belongs into the next panel, given the texts of the panels before it."""
