"""Training, export and everything else that needs PyTorch."""
