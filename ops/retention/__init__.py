"""What a running platform writes, how long each of it stays, and the command that takes away what no part does itself."""
