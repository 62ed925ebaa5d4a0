"""The page of the workflows on all platforms."""
