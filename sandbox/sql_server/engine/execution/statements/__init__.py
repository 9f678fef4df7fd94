"""What each kind of statement does when it runs."""
