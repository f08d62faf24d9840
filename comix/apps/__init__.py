"""One thin file per stage: its docstring is the help text, `main(cfg)` builds, runs and reports."""
