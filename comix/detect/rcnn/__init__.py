"""Faster R-CNN: the shipped light network, its weights, and the detector around it."""
