"""Statistics, metrics on sounds against truth, reports of a model, and studies of one question each."""
