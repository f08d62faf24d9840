"""Every reader of pages: OCR, vision-language models, replay. Page image and panels in, text per panel out."""
