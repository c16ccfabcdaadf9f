"""The database of disputes: events, their projection, and consumers (extra `sql`)."""
