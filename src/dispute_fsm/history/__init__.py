"""Histories: the audit events of disputes as JSON Lines, written and read back."""
