"""One job in full, submitting a new one, and editing a job to submit it again."""
