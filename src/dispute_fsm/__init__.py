"""Disputes as explicit state machines."""
