"""Files in and out: decode, mux, resample, limit, spectrograms. Below `data`, only this layer touches files."""
