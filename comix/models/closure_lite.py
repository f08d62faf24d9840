"""Closure-Lite: panels from picture, words and place; pages from panels; the next panel from both.

`closure_lite_mini` stands on frozen encoders whose features are cached; `closure_lite_sequence` adds a small transformer over
the panels of a page; `closure_lite_simple` is the document's, with a ViT and RoBERTa trained along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from comix.core.errors import FileFormatError, UsageError
from comix.models.batch import LAYOUT_NAMES, Batch
from comix.models.earlier import EarlierHeads
from comix.models.encoders import CompositionEncoder, FeatureProjection, PretrainedText, PretrainedVision, drop_modalities
from comix.models.fusion import GatedFusion
from comix.models.heads import ContextHead, DenoiseHead, NextPanel, NextPanelHead, PanelOnPageHead
from comix.models.pooling import AttentionPooling
from comix.models.sequence import PanelSequence

HEADS = ("pop", "denoise", "context", "earlier", "earlier_denoise", "earlier_context")
"""Heads that a model has only where its objective uses them; the next-panel head is always there."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the model makes of a batch of ``b`` pages with ``n`` panels.

    Attributes:
        panels: ``(n, d)``, everything fused.
        content: ``(n, d)``, picture and words only: says nothing of the place on the page.
        image: ``(n, d)``, the picture alone; zeros where there is none. Likewise ``text``.
        gate: ``(n, 3)``, weights of picture, words, place; rows sum to 1.
        page: ``(b, d)``, pooled from ``content``: what "panel on page" and the hidden panels teach the pooling.
        attention: ``(n,)``, each panel's share in its page; sums to 1 per page.
    """

    panels: Tensor
    content: Tensor
    image: Tensor
    text: Tensor
    gate: Tensor
    page: Tensor
    attention: Tensor


class ClosureLite(nn.Module):
    """The model; `closure_lite_mini` and `closure_lite_simple` build it.

    Args:
        image: encoder of ``batch.image`` or ``batch.pixels``; `uses_pixels` says which.
        text: encoder of ``batch.text`` or ``batch.tokens``.
        dim: ``d``.
        heads: which of `HEADS` it has.
        settings: name and arguments it was built with; `restore` builds the same again from them.
        order_layers: of the transformer that the next panel is told by; 0 for the plain head.
    """

    def __init__(
        self,
        image: nn.Module,
        text: nn.Module,
        dim: int,
        num_heads: int,
        pool_temperature: float,
        order_temperature: float,
        modality_dropout: float,
        heads: Sequence[str],
        settings: Mapping[str, Any],
        order_layers: int = 0,
    ) -> None:
        super().__init__()
        self.dim, self.modality_dropout, self.settings = dim, modality_dropout, dict(settings)
        self.image, self.text = image, text
        self.composition = CompositionEncoder(len(LAYOUT_NAMES), dim)
        self.fusion = GatedFusion(dim)
        self.pooling = AttentionPooling(dim, num_heads, pool_temperature)
        n_layout = len(LAYOUT_NAMES)
        self.next_panel: NextPanel = (
            PanelSequence(dim, n_layout, order_temperature, order_layers)
            if order_layers
            else NextPanelHead(dim, n_layout, order_temperature)
        )
        self.pop = PanelOnPageHead(dim) if "pop" in heads else None
        self.denoise = DenoiseHead(dim) if "denoise" in heads else None
        self.context = ContextHead(dim) if "context" in heads else None
        extras = {name: f"earlier_{name}" in heads for name in ("denoise", "context")}
        self.earlier = EarlierHeads(dim, **extras) if "earlier" in heads else None

    @property
    def uses_pixels(self) -> bool:
        """Whether batches must hold pixels and tokens rather than cached features."""
        return isinstance(self.image, PretrainedVision)

    def compile_encoders(self) -> None:
        """Let ``torch.compile`` make encoders of pixels and tokens faster; heads stay as they are."""
        for encoder in (self.image, self.text):
            if isinstance(encoder, PretrainedVision | PretrainedText):
                encoder.compile_blocks()

    def forward(self, batch: Batch) -> Encoded:
        """See `encode`."""
        return self.encode(batch)

    def encode(self, batch: Batch) -> Encoded:
        """Panel and page embeddings; in training mode modalities are dropped at random."""
        return self.fused(batch, self._image(batch), self._text(batch))

    def fused(self, batch: Batch, image: Tensor, text: Tensor) -> Encoded:
        """`encode` from what the two encoders have made of it, `Encoded.image` and `Encoded.text`, both ``(n, d)``."""
        parts = torch.stack([image, text, self.composition(batch.layout)], dim=1)  # (n, 3, d)
        present = torch.stack([batch.has_image, batch.has_text, batch.has_layout], dim=1)  # (n, 3)
        no_place = present & present.new_tensor([True, True, False])
        if self.training and self.modality_dropout > 0:
            present = drop_modalities(present, self.modality_dropout)
            no_place = drop_modalities(no_place, self.modality_dropout)
        panels, gate = self.fusion(parts, present)
        content, _ = self.fusion(parts, no_place)
        page, attention = self.pooling(batch.padded(content), batch.mask)
        return Encoded(panels, content, image, text, gate, page, attention[batch.mask])

    def of_words(self, words: Tensor, mask: Tensor | None = None) -> Tensor:
        """``(n, d)``: panels of which nothing but the words is known.

        Args:
            words: ``(n, t)`` features, or for a model with its own text encoder ``(n, l)`` token ids with their ``mask``.
        """
        text: Tensor = self.text(words) if mask is None else self.text(words, mask)
        parts = torch.stack([torch.zeros_like(text), text, torch.zeros_like(text)], dim=1)  # (n, 3, d)
        present = torch.tensor([False, True, False], device=text.device).expand(len(text), -1)
        panels: Tensor = self.fusion(parts, present)[0]
        return panels

    def next_panel_logits(self, encoded: Encoded, batch: Batch) -> Tensor:
        """``(b, p, p + 1)``: what follows each panel, the last column is "end"; see `NextPanel.forward`.

        In training a third of the pages is judged by place alone and a third by content alone, so that neither leans on
        the other: what a few pages' pictures give away would else hide where the panels lie. For the same reason half of
        the pages are not told what the rule says.
        """
        layout, has_layout = batch.padded(batch.layout), batch.padded(batch.has_layout)
        rule = torch.where(batch.mask & has_layout, batch.padded(batch.rule), -1)
        use_content = None
        if self.training and self.modality_dropout > 0:
            draw = torch.rand(batch.n_pages, device=layout.device)
            use_content = draw > 1 / 3
            has_layout = has_layout & (draw < 2 / 3)[:, None]
            told = torch.rand(batch.n_pages, device=layout.device) < 1 / 2
            rule = torch.where(told[:, None], rule, -1)
        logits: Tensor = self.next_panel(batch.padded(encoded.panels), layout, has_layout, batch.mask, use_content, rule)
        return logits

    def belonging(self, panels: Tensor, pages: Tensor) -> Tensor:
        """``(n, m)``: how well each panel ``(n, d)`` fits each page ``(m, d)``: the head's logits, without one cosines."""
        if self.pop is not None:
            logits: Tensor = self.pop(panels, pages)
            return logits
        return normalize(panels, dim=1) @ normalize(pages, dim=1).T

    def pages_without_each(self, panels: Tensor, batch: Batch) -> Tensor:
        """``(n, d)``: for each panel its page's embedding computed without it; zeros on one-panel pages.

        Args:
            panels: ``(n, d)``, `Encoded.panels` or `Encoded.content`.
        """
        return self.pooling.without_each(batch.padded(panels), batch.mask)[batch.mask]

    def pages_of(self, content: Tensor, batch: Batch, seen: Tensor) -> Tensor:
        """``(b, d)``: each page's embedding computed from some of its panels only.

        Args:
            content: ``(n, d)``, `Encoded.content`.
            seen: ``(n,)`` bool, at least one a page.
        """
        page: Tensor = self.pooling(batch.padded(content), batch.padded(seen))[0]
        return page

    def _image(self, batch: Batch) -> Tensor:
        source = batch.pixels if self.uses_pixels else batch.image
        if source is None:
            raise FileFormatError(f"this batch holds no {'pixels' if self.uses_pixels else 'image features'} for the model")
        encoded: Tensor = self.image(source)
        return encoded * batch.has_image[:, None]

    def _text(self, batch: Batch) -> Tensor:
        if isinstance(self.text, PretrainedText):
            if batch.tokens is None or batch.tokens_mask is None:
                raise FileFormatError("this batch holds no tokens for the model")
            encoded: Tensor = self.text(batch.tokens, batch.tokens_mask)
        else:
            if batch.text is None:
                raise FileFormatError("this batch holds no text features for the model")
            encoded = self.text(batch.text)
        return encoded * batch.has_text[:, None]


def closure_lite_mini(
    dim: int = 384,
    num_heads: int = 4,
    pool_temperature: float = 1.0,
    order_temperature: float = 0.1,
    modality_dropout: float = 0.15,
    image_features: int = 1280,
    text_features: int = 384,
    heads: Sequence[str] = (),
) -> ClosureLite:
    """Closure-Lite over cached features of EfficientNet-Lite0 and MiniLM.

    Args:
        dim: size of all embeddings.
        num_heads: of the attention pooling.
        pool_temperature: of the attention pooling.
        order_temperature: of the next-panel cosines.
        modality_dropout: probability that a panel's picture, words or place are hidden in training.
        image_features: size of the frozen image encoder's vectors; likewise ``text_features``.
        heads: which of `HEADS` to build; the objective decides.
    """
    settings = {"name": "closure_lite_mini", **locals(), "heads": list(heads)}
    image, text = FeatureProjection(image_features, dim), FeatureProjection(text_features, dim)
    return ClosureLite(image, text, dim, num_heads, pool_temperature, order_temperature, modality_dropout, heads, settings)


def closure_lite_sequence(
    dim: int = 384,
    num_heads: int = 4,
    pool_temperature: float = 1.0,
    order_temperature: float = 0.5,
    modality_dropout: float = 0.15,
    order_layers: int = 3,
    image_features: int = 1280,
    text_features: int = 384,
    heads: Sequence[str] = (),
) -> ClosureLite:
    """`closure_lite_mini` with a small transformer over the panels of a page, which tells the next panel.

    Args:
        order_layers: layers of the transformer, 1 or more.
        heads: see `closure_lite_mini`, as for the other arguments.
    """
    settings = {"name": "closure_lite_sequence", **locals(), "heads": list(heads)}
    if order_layers < 1:
        raise UsageError(f"model.order_layers={order_layers}: wanted 1 or more; model=closure_lite_mini has none")
    image, text = FeatureProjection(image_features, dim), FeatureProjection(text_features, dim)
    return ClosureLite(
        image, text, dim, num_heads, pool_temperature, order_temperature, modality_dropout, heads, settings, order_layers
    )


def closure_lite_simple(
    vision: str = "vit_base_patch16_224",
    vision_weights: str = "hub",
    text: str = "roberta-base",
    dim: int = 384,
    num_heads: int = 4,
    pool_temperature: float = 1.0,
    order_temperature: float = 0.1,
    modality_dropout: float = 0.15,
    trainable_blocks: int | None = None,
    text_config: dict[str, Any] | None = None,
    heads: Sequence[str] = (),
) -> ClosureLite:
    """The document's Closure-Lite Simple: a timm ViT and a transformers encoder, trained along.

    Args:
        vision: timm model name.
        vision_weights: ``hub``, a local file or folder, or ``none`` for random ones.
        text: hub name or local folder of a transformers encoder.
        trainable_blocks: None trains both encoders, 0 freezes them, k trains their last k blocks.
        text_config: a saved transformers config, to build the network without its weights.
        heads: see `closure_lite_mini`, as for the other arguments.
    """
    settings = {"name": "closure_lite_simple", **locals(), "heads": list(heads), "vision_weights": "none"}
    image = PretrainedVision(vision, dim, vision_weights, trainable_blocks)
    words = PretrainedText(text, dim, text_config, trainable_blocks)
    settings["text_config"] = text_config or words.backbone.config.to_dict()
    return ClosureLite(image, words, dim, num_heads, pool_temperature, order_temperature, modality_dropout, heads, settings)


_BUILDERS: Mapping[str, Callable[..., ClosureLite]] = MappingProxyType(
    {
        "closure_lite_mini": closure_lite_mini,
        "closure_lite_sequence": closure_lite_sequence,
        "closure_lite_simple": closure_lite_simple,
    }
)


def restore(settings: Mapping[str, Any]) -> ClosureLite:
    """The untrained model that these `ClosureLite.settings` describe.

    Raises:
        FileFormatError: a model that this CoMix does not know, or arguments that it does not take.
    """
    arguments = {key: value for key, value in settings.items() if key != "name"}
    builder = _BUILDERS.get(str(settings.get("name")))
    if builder is None:
        raise FileFormatError(f"model {settings.get('name')!r} is unknown here; known: {', '.join(_BUILDERS)}")
    try:
        return builder(**arguments)
    except TypeError as error:
        raise FileFormatError(f"model {settings['name']}: {error}; the checkpoint is of another model") from error
