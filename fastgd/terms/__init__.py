"""What a user can name or write: losses, penalties, update rules and schedules, and the registry of their names."""
