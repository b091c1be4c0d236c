"""Networks in the layout of Hugging Face: folders of them, and the Hub that they are fetched from."""
