"""Any duration as a plan of windows."""
