"""All figures of one model, with tables and pictures; resumable and shared between processes."""
