"""Tables, the database and its queries: the only place that knows SQL."""
