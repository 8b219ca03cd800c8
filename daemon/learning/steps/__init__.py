"""The steps of a feature pipeline, each fitted on the training rows; names and order are FreqAI's."""
