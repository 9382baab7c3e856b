"""Base images: AP2xx."""
