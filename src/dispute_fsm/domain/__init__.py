"""The vocabulary of a dispute: facts, policy, working time, deadlines, commands and events.

No rule decides here.
"""
