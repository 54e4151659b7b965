"""Plain PyTorch peers: the same network and training steps without this library, to measure and to test it against."""
