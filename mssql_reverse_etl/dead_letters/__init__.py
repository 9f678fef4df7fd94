"""The dead letters of a project: what is in their files, and sending them again."""
