"""Comparisons of adversarial and moment-matching models, and what they share."""
