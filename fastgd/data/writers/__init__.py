"""Tables out, each file whole or not at all."""
