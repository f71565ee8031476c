"""Tasks with a reward."""
