"""The composition root: settings become the running roles. Nothing else in Radrelay knows every room."""
