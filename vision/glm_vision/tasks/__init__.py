"""What is asked about pictures, and what an answer must be to count as one."""
