"""A process' numbers for others: text, HTTP on loopback, TLS and an account when asked for."""
