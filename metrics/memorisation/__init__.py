"""Whether samples copy the training rows."""
