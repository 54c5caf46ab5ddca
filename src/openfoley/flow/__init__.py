"""The method as pure functions: path, times, masks, shortcut target, guidance, samplers."""
