"""The socket's rules, without a socket where that is possible."""
