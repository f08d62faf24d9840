"""Pages to tensors: DataSpec lists, feature cache, ragged batches, the datamodule."""
