"""Charts: one module per rule version, the compiler, the table that runs, the registry of versions."""
