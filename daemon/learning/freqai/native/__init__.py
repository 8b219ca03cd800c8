"""Estimators of the libraries' own classes, which a user's code fitted, as bytes in each library's own format: one module each."""
