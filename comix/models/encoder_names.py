"""Names and sizes of the frozen encoders, apart from what loads them: a stage with nothing to do need not wait for torch."""

IMAGE_ENCODER = "efficientnet_lite0-57934424-letterbox224"
"""Name of the image encoder and its preprocessing; part of every cache key. Changes when either changes."""
TEXT_ENCODER = "minilm-l6-v2-mean256"
"""The same for the text encoder."""
IMAGE_DIM, TEXT_DIM = 1280, 384
