"""One module per node kind, and the registry that names them."""
