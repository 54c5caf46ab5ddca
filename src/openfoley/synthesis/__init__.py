"""From a plan of windows to finished takes: features, conditions, sampling, samples, files in the making."""
