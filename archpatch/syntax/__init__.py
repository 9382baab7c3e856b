"""From bytes to a tree: scanner, parser, words, shell, and the second reader."""
