"""Files in and out: archives, documents, images, COCO, DataSpec, tables."""
