"""CoMix: from a folder of comics and manga to panels, text, training data, models and search."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("comix")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
