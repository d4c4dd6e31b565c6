"""Loops and nothing else: they name no concrete loss, penalty, schedule or rule."""
