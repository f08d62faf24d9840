"""``python -m comix`` is the same as ``comix``."""

from comix.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
