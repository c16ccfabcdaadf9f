"""Documents that people write in YAML: read strictly, every fault with file, line and field."""
