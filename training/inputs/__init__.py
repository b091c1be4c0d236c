"""What goes into a network that is trained: windows of clips, features of windows, batches of examples."""
