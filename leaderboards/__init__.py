"""Tables, pictures and pages from records and their files; nothing here imports torch."""
