"""The ``comix`` command: help at once, everything else through the launcher. Standard library only at import."""

from __future__ import annotations

import ast
import os
import sys
from difflib import get_close_matches
from pathlib import Path

from comix.paths import apps_dir, conf_dir
from comix.schema import STAGES

_HELP_FLAGS = {"-h", "--help", "help"}


def main(arguments: list[str] | None = None) -> int:
    """Run ``comix ARGUMENTS``; the exit code (0 fine, 1 failed items, 2 a mistake in the command, 130 interrupted)."""
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(words: list[str]) -> int:
    if not words or words[0] in _HELP_FLAGS:
        if len(words) > 1 and words[1] in STAGES:
            print(stage_help(words[1]))
        else:
            print(overview())
        return 0
    if words[0] in ("-V", "--version"):
        from comix import __version__

        print(f"comix {__version__}")
        return 0
    stage = words[0]
    if stage not in STAGES and stage != "rerun":
        from comix.launch import refuse_secrets_or_exit

        refuse_secrets_or_exit(words)
        print(_unknown_stage(stage), file=sys.stderr)
        return 2
    if any(word in ("-h", "--help") for word in words[1:]):
        print(_RERUN_HELP if stage == "rerun" else stage_help(stage))
        return 0
    from comix.launch import launch

    try:
        return launch(stage, words[1:])
    except KeyboardInterrupt:
        print("\nInterrupted. What is finished is kept; the same command goes on.", file=sys.stderr)
        return 130


_RERUN_HELP = """comix rerun RUN_DIR [key=value ...]

Start an earlier run again with its own settings, changed where you say so.

Example:
  comix rerun workspace/runs/detect/2026-11-22_20-15-35 save_vis=20"""


def _unknown_stage(stage: str) -> str:
    if "=" in stage:
        return f"comix: {stage!r} comes before the stage; wanted: comix STAGE key=value (stages: {', '.join(STAGES)})"
    near = get_close_matches(stage, [*STAGES, "rerun"], n=1, cutoff=0.5)
    guess = f"; did you mean `comix {near[0]}`?" if near else "."
    return f"comix: unknown stage {stage!r}{guess} Stages: {', '.join([*STAGES, 'rerun'])}"


def _docstring(stage: str) -> str:
    """A stage's help text, read without importing it."""
    source = (apps_dir() / f"{stage}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or ""


def overview() -> str:
    """What ``comix --help`` prints."""
    lines = [
        "CoMix: from a folder of comics and manga to panels in reading order, text, and checked training data.",
        "",
        "  comix demo                                   see everything on the bundled comics",
        "  comix pipeline library=FOLDER workspace=DIR  the same on yours",
        "",
        "Stages (comix STAGE --help shows every key):",
    ]
    for stage in STAGES:
        lines.append(f"  {stage:<10} {_docstring(stage).splitlines()[0]}")
    lines.append(f"  {'rerun':<10} Start an earlier run again with its own settings, changed where you say so.")
    lines += ["", "Settings are key=value; -m sweeps over comma-separated choices. Every stage takes workspace=DIR."]
    return "\n".join(lines)


def stage_help(stage: str) -> str:
    """What ``comix STAGE --help`` prints: its docstring, the group options, and its commented config."""
    lines = [f"comix {stage} [key=value ...]", "", _docstring(stage).rstrip(), ""]
    config = (conf_dir() / f"{stage}.yaml").read_text(encoding="utf-8")
    for group in sorted(path for path in conf_dir().iterdir() if path.is_dir() and path.name not in ("hydra",)):
        if f"- {group.name}:" in config or f"{group.name}=" in _docstring(stage):
            options = sorted(group.glob("*.yaml"))
            width = max(len(option.stem) for option in options)
            lines.append(f"{group.name}=...")
            lines += [f"  {option.stem:<{width}}  {_first_comment(option)}" for option in options]
            lines.append("")
    lines += ["Keys and their defaults:", ""]
    body = "\n".join(config.split("_self_", 1)[-1].splitlines()[1:]).lstrip("\n")
    body = body.partition("\n\n")[2] if body.startswith("  - ") else body  # defaults after _self_
    lines += [f"  {line}" if line else "" for line in body.rstrip().splitlines()]
    return "\n".join(lines)


def _first_comment(path: Path) -> str:
    """What an option is, in its own words; the command that an experiment file opens with says nothing new."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line.lstrip("# ") for line in lines if line.startswith("#") and not line.startswith("# @")]
    return next((comment for comment in comments if not comment.startswith("comix ")), "")
