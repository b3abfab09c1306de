"""How a node's process comes to be, wherever it runs: identities, the launcher's interface, and launchers."""
