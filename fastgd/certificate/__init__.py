"""Proofs of how far at most F is above its minimum: duality gaps."""
