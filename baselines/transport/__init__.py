"""Transport models. Time t = 0 is noise, t = 1 is data."""
