"""How `nano` was trained: `python -m recipes.nano`."""
