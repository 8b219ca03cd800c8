"""What others may look at: health, metrics, messages. Read models only; nothing here changes anything."""
