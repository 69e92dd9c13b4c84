--- Public face of the plug-in. `setup()` is optional: `vim.g.glm_lsp` does the same.
local M = {}

--- Options beside the server's own settings. See |glm_lsp-options|.
---@param options? glm_lsp.Options
function M.setup(options)
  require('glm_lsp.config').set(options or {})
end

--- Take the whole ghost text. Usable in an <expr> map: false where there is none.
---@return boolean
function M.accept()
  return require('glm_lsp.ghost_text').accept()
end

--- Take the next word of the ghost text.
---@return boolean
function M.accept_word()
  return require('glm_lsp.ghost_text').accept_word()
end

--- Take the rest of the ghost text's first line.
---@return boolean
function M.accept_line()
  return require('glm_lsp.ghost_text').accept_line()
end

--- A few characters for a status line; empty in buffers without the server.
---@return string
function M.statusline()
  return require('glm_lsp.status').short(0)
end

return M
