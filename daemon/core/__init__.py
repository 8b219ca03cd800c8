"""Value types and ports that every other room may use; this room uses none of them."""
