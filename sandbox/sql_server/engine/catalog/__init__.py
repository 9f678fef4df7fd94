"""What a server contains: databases and their objects, logins, permissions, application locks."""
