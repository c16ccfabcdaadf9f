"""The rules: guards by theme, one chart module per rule version, and the registry of versions."""
