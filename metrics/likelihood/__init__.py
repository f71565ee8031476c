"""What a likelihood says of test rows."""
