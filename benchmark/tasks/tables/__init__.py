"""Tables of real numbers."""
