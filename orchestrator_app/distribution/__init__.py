"""Several processes on one PostgreSQL database: they share the work, and tell each other what has changed."""
