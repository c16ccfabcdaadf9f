"""Where disputes are kept: a database of events, what they come to, and who has read them (extra `sql`)."""
