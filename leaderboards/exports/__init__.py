"""Tables as files and in the terminal."""
