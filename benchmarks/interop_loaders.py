"""Exports opened by the libraries they are for: `datasets` (imagefolder, Parquet) and `webdataset`.

    comix export format=imagefolder include_images=true output=OUT/imagefolder workspace=DIR   (and parquet, webdataset)
    uv run --with datasets --with webdataset --no-project python benchmarks/interop_loaders.py OUT

Prints rows, features and the first image of each; a library that is not installed is "not run", and the exit code is 1.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def with_datasets(name: str, folder: Path) -> str:
    """Rows, and proof that images decode and boxes are lists of numbers."""
    import datasets

    if name == "imagefolder":
        loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train")
    else:
        loaded = datasets.load_dataset("parquet", data_files=str(folder / "data" / "*.parquet"), split="train")
    first = max(loaded, key=lambda row: len(row["regions"]))
    assert first["image"].size == (first["width"], first["height"]), (first["image"].size, first["width"], first["height"])
    box = first["regions"][0]["bbox"]
    assert len(box) == 4, box
    return f"{len(loaded)} rows, {len(loaded.features)} features, image {first['image'].size}, first box {box}"


def with_webdataset(folder: Path) -> str:
    """Samples, and proof that image and JSON come together."""
    import webdataset

    shards = [str(path) for path in sorted(folder.glob("*.tar"))]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    for sample in samples:
        image = next(sample[key] for key in ("jpg", "jpeg", "png", "webp") if key in sample)
        assert image.size == (sample["json"]["width"], sample["json"]["height"])
    return f"{len(samples)} samples, first {samples[0]['__key__']}"


def main() -> int:
    out = Path(sys.argv[1])
    missing = 0
    for name, library in (("imagefolder", "datasets"), ("parquet", "datasets"), ("webdataset", "webdataset")):
        if importlib.util.find_spec(library) is None or not (out / name).is_dir():
            print(f"{name}: not run ({library} is not installed, or {out / name} is absent)")
            missing += 1
        else:
            print(f"{name}: {with_webdataset(out / name) if name == 'webdataset' else with_datasets(name, out / name)}")
    return int(missing > 0)


if __name__ == "__main__":
    raise SystemExit(main())
