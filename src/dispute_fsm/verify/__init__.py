"""Verification: the rules explored exhaustively, properties decided over all of it, and small wrong rules that must be noticed."""
