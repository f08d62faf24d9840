"""Makes the checkpoint that comes with CoMix out of a run of ``comix reproduce table=open_mpm``: its weights in half precision.

python benchmarks/build_bundled_model.py DIR/models/open_mpm-denoise_context-0
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from comix.paths import bundled_model
from comix.train.checkpoint import load_model, save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    arguments = parser.parse_args()
    loaded = load_model(arguments.checkpoint)
    facts = {key: loaded.config[key] for key in ("variant", "seed", "n_pages", "final", "validation", "test", "best_epoch")}
    trained = {"trained_by": f"comix reproduce table=open_mpm, {arguments.checkpoint.name}", "trained_as": loaded.model_hash}
    print(save_model(bundled_model(), loaded.model, {"name": "open_mpm", **trained, **facts}, dtype=torch.float16))


if __name__ == "__main__":
    main()
