"""The four steps of a command, and what is built on them: options, unlock hints, the hash chain."""
