"""The strategy base class and the loading of a user's file."""
