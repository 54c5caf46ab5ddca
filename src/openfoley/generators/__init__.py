"""Networks that predict the velocity of the flow."""
