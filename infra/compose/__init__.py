"""What docker-compose.yml runs besides refex itself: credentials, logins of the parts, health checks."""
