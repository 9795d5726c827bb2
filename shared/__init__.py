"""What trainer and service have in common: pixels, sessions, bundles. Imports neither torch nor fastapi."""
