"""The running system: the tree, its configuration, and the language-model handle."""
