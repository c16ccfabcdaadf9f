"""Scenario files: read, run, compared with what they expect."""
