"""From records to what a table shows: columns, entries, rounding, ranking."""
