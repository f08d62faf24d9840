"""LightningModule, objectives, checkpoints."""
