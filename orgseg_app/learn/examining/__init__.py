"""What a trained model costs, what it relies on, and how much noise it bears."""
