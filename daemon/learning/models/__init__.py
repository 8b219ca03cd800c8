"""One file per model library; each imports its library lazily and alone."""
