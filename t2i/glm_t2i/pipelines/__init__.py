"""What is done with the networks: draw, caption, rank, enlarge, fill in. Ids in, ids out."""
