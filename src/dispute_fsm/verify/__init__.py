"""Verification: the state space of a rule version, explored whole, and properties checked on it."""
