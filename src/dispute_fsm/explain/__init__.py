"""Why a dispute ended so, and what would have changed it."""
