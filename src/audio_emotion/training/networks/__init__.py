"""The networks, and which of them a configuration names."""

from typing import TypeAlias

from ...config import FrontendConfig, NetworkConfig
from .cnn import DeepAudioEmotionCNN
from .resnet import EmotionResNet

Network: TypeAlias = DeepAudioEmotionCNN | EmotionResNet


def make_network(config: NetworkConfig, frontend: FrontendConfig, classes: int) -> Network:
    """Build the network of a configuration for the features of its front end."""
    channels = len(frontend.channels)
    if config.kind == "resnet":
        return EmotionResNet(config, channels, frontend.n_mels, classes)
    return DeepAudioEmotionCNN(config, channels, classes)
