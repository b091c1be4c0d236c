"""`bench predict`, `bench parity` and `bench live`."""
