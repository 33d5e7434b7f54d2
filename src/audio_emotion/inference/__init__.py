"""Use of a trained model: predictions, explanations and the model file they come from."""
