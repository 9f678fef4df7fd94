"""What the programs are compared with, each a program of its own."""
