"""Model files that ship with candled, to copy and change."""
