"""Strategy hooks to feature blocks, blocks to a training matrix or one live row."""
