"""The threads and processes, and what each does in one step."""
