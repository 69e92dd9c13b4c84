"""How nano-image is made: pictures, tokenizer, codes, GPT, weights."""
