"""What a run of a verb left behind: its events, what they mean, and the page that shows it."""
