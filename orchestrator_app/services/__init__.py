"""The use cases: the only way in for the pages and the REST API."""
