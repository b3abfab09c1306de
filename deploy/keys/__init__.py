"""The keys of a cluster: who may come as whom, kept in files. See THREATS.md."""
