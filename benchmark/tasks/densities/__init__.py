"""Tasks with an exact log p(x)."""
