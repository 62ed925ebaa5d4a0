"""One run: its graph, and for each node what went in, what came out, and every try."""
