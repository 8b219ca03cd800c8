"""The identifier folder: what the daemon remembers, and how it survives damage."""
