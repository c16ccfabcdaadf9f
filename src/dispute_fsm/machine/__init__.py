"""A state machine of any domain: guards, charts on python-statemachine, the compiler, and the table that runs."""
