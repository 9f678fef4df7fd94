"""The baselines that both programs are compared with; each is a separate program."""
