"""The workflow browser: the same on its page and beside the canvas."""
