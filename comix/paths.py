"""Where the config tree and the saved tables lie: inside the installed package, else beside it in a source checkout."""

from __future__ import annotations

from pathlib import Path


def conf_dir() -> Path:
    """The folder with ``<stage>.yaml`` and the config groups.

    Raises:
        FileNotFoundError: the package was built without its config tree.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "conf", package.parent / "conf"):
        if (candidate / "extract.yaml").is_file():
            return candidate
    raise FileNotFoundError(f"no config tree in {package / 'conf'} or beside it; reinstall comix")


def apps_dir() -> Path:
    """The folder with one file per stage."""
    return Path(__file__).resolve().parent / "apps"


def experiments_dir() -> Path:
    """The folder with the saved tables, inside the installed package, else beside it in a source checkout.

    Raises:
        FileNotFoundError: the package was built without them.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "experiments", package.parent / "experiments"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no experiments in {package / 'experiments'} or beside it; reinstall comix")


def bundled_model() -> Path:
    """The folder of the Closure-Lite checkpoint that comes with CoMix; see its ``README.md``."""
    return Path(__file__).resolve().parent / "bundled" / "models" / "open_mpm"
