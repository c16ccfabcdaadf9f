"""Scenario files: read, run, and compared with what they expect."""
