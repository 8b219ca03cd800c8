"""From a training matrix to an evaluated model, and from a live row to a prediction."""
