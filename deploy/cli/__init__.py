"""The command line: one file per command, loaded when it is used. Errors become one line and an exit code."""
