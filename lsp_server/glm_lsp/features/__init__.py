"""One file for each LSP method (or pair): from the editor's parameters to the editor's result."""
