"""Networks of libraries, and of files that are in no format of ours, named by a prefix: `family:name`."""
