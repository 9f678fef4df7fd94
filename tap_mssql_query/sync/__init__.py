"""One run of a sync: what is due, which window, how it is read, where it resumes."""
