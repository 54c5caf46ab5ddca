"""Sound and video from one model: two U-Nets of diffusers, connected (arXiv 2409.17550)."""
