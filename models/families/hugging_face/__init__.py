"""Networks of Hugging Face's transformers for classifying videos: `hf:OWNER/NAME` and `hf:FOLDER`."""
