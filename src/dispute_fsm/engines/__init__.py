"""Durable engines as alarm clocks for the deadlines of a store; each is an extra of its own."""
