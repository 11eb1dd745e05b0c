"""What the verbs of the command line do: read what is asked, answer, print."""
