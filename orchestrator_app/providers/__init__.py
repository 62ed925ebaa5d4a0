"""The platforms outside: one file per provider, the shared HTTP behaviour in ``base`` and ``client``."""
