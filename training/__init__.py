"""Fine-tuning: augmentation, losses, the training loop, experiments."""
