"""The benchmark: the real path against plain C libzmq, always as a ratio of runs made side by side."""
