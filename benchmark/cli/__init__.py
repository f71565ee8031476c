"""The command line: everything that a user types, and what he sees."""
