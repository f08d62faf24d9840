"""Vision-language models behind an OpenAI-compatible address: asked at a known price, nothing paid twice."""
