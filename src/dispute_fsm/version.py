"""The version of this package, in the one place that the build reads too."""

VERSION = "0.1.0"
