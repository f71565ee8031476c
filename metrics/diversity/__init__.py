"""What of the reference the samples cover, and how varied they are."""
