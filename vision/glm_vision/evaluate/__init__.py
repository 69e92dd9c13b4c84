"""How well a model sees, on pictures drawn afresh from a seed: `glm-lsp eval vision`."""
