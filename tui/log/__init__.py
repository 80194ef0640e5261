"""The log pane: output of any size, from the bytes of a file to the lines on the screen."""
