"""Controls that frame every table: ceiling, floor and trap."""
