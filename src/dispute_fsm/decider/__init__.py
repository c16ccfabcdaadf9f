"""Deciding and evolving: evaluate a command, decide it, evolve the dispute; options, unlock hints, the hash chain."""
