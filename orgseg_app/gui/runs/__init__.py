"""Trainings, runs and their predictions, as the window knows them."""
