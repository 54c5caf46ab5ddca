"""All metrics of one model, with tables and plots; resumable and shared between processes."""
