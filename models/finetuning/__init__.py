"""Fine-tuning: torch networks that can be trained, and results as folders."""
