"""`bench finetune` and what goes with it: experiments, evaluation."""
