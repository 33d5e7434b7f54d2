"""Explanations that need PyTorch: by gradients, and drawn over the features of the network."""
