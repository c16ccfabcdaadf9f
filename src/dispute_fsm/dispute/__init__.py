"""Deciding and folding: decide, evolve, options, events, the chain of hashes. Pure."""
