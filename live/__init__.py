"""Recognising actions on a live stream: capture, preparation, network, decision and outputs side by side."""
