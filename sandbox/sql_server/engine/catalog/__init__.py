"""What a server holds: databases and their objects, logins, permissions, application locks."""
