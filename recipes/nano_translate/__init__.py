"""How nano-translate was made: parallel programs, training, export, executed evaluation."""
