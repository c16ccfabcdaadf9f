"""The entry point of the pytest plugin, which is in `dispute_fsm.testing.pytest_plugin`."""

pytest_plugins = ["dispute_fsm.testing.pytest_plugin"]
