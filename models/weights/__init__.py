"""Files of published weights: their formats, where they come from, and where they are kept."""
