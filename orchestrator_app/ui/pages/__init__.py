"""One folder per page: what it shows in ``page``, what it remembers and does in ``state``."""
