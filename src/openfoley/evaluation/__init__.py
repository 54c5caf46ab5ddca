"""Statistics, metrics against ground truth, reports on a model, and studies of one question each."""
