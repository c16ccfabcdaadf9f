"""YAML that people write: read strictly, every error with file, line and field."""
