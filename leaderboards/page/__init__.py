"""One page that opens without a network."""
