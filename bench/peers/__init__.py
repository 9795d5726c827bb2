"""The servers that `bench.predict` compares, one file each; they import `shared` and nothing of the service."""
