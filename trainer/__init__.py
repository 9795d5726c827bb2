"""The trainer: from a folder of labelled pictures to a published bundle."""
