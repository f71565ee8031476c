"""Models and samples of the user's: made, checked, read, scored."""
