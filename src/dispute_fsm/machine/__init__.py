"""A state machine for any domain: guards, charts, the compiler, and the table that runs."""
