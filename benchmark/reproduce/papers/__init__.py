"""What papers printed and how it is measured here: one file per group of comparisons."""
