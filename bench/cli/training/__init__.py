"""`bench finetune`, `bench experiments` and `bench evaluate`."""
