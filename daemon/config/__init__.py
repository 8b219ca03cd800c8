"""From a user's config.json to frozen settings."""
