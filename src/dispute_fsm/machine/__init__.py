"""The state machine: guards, charts on python-statemachine, the compiler, and the transition table that runs."""
