"""Guest configuration files as xl reads them: the format, and values with their own grammar."""
