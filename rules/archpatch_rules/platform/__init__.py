"""Platform flags and arguments: AP1xx."""
