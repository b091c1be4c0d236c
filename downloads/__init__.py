"""What transfers of weights and of archives have in common."""
