"""The socket through which a process that runs is looked into. Knows nobody."""
