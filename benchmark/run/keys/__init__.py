"""What results are made from, as keys: sources, data, weights, arguments."""
