"""Pieces that pages are put together from. They take values and handlers, and know no state of ours."""
