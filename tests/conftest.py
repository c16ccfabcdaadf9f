"""What every test shares: how Hypothesis looks for counter-examples."""

import os

from hypothesis import settings

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)  # the same examples in every run
settings.load_profile("ci" if os.environ.get("CI") else "dev")
