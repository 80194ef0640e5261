"""The queues and nodes of schedulers on the screen: what is told of them, and a table that shows it."""
