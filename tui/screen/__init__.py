"""The screen: the application, its actions and keys, its dialogs, and what it remembers."""
