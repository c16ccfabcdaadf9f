"""The rules themselves: words, facts, policy, guards, evidence, deadlines. Pure; depends on nothing above."""
