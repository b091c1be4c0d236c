"""What is trained, and what comes of it: networks in torch that can be trained, results as folders."""
