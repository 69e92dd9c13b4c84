--- Keeps the ghost text on screen true to what is typed.
---
--- Neovim 0.12 shows a suggestion on until the next answer, also when the user typed something else,
--- and for good when the next answer is an error (the server answers "content modified" to a request
--- that a newer key has overtaken). Here: an overtaken request's answer is dropped, a failed one takes
--- the old text away, and so does a key that leads elsewhere.
local M = {}

local METHOD = 'textDocument/inlineCompletion'

---@type table<integer, vim.lsp.inline_completion.Item> by buffer: what was last answered
local answered = {}
---@type table<integer, integer> by buffer: how many requests were sent
local sent = {}

---@param bufnr integer
local function hide(bufnr)
  local namespace = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  if namespace then
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

---@param bufnr integer
---@param result any
---@param encoding string
local function remember(bufnr, result, encoding)
  local item = result and (result.items or result)[1]
  local fine, range = pcall(function()
    return item.range and vim.range.lsp(bufnr, item.range, encoding)
  end)
  answered[bufnr] = fine and item and { insert_text = item.insertText, range = range } or nil
end

--- Stand between Neovim's ghost text and the server.
---@param client vim.lsp.Client
function M.watch(client)
  local request = client.request
  client.request = function(self, method, params, handler, bufnr)
    if method ~= METHOD or not handler then
      return request(self, method, params, handler, bufnr)
    end
    bufnr = vim._resolve_bufnr(bufnr)
    sent[bufnr] = (sent[bufnr] or 0) + 1
    local number = sent[bufnr]
    return request(self, method, params, function(err, result, context, ...)
      if number ~= sent[bufnr] or not vim.api.nvim_buf_is_loaded(bufnr) then
        return
      end
      if err then
        err, result = nil, { items = {} }
      end
      remember(bufnr, result, self.offset_encoding)
      return handler(err, result, context, ...)
    end, bufnr)
  end
end

--- Look at each key in a buffer whether the text on screen still fits. Neovim's own look comes first
--- only if it was registered first, which it is two ticks after the server was attached or switched on.
---@param bufnr integer
function M.attach(bufnr)
  vim.schedule(function()
    vim.schedule(function()
      if not vim.api.nvim_buf_is_valid(bufnr) then
        return
      end
      local group = vim.api.nvim_create_augroup('glm_lsp.fresh_text:' .. bufnr, { clear = true })
      vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedP' }, {
        group = group,
        buf = bufnr,
        callback = function()
          if answered[bufnr] and not require('glm_lsp.ghost_text').fits(answered[bufnr]) then
            answered[bufnr] = nil
            hide(bufnr)
          end
        end,
      })
      vim.api.nvim_create_autocmd({ 'BufWipeout' }, {
        group = group,
        buf = bufnr,
        callback = function()
          answered[bufnr], sent[bufnr] = nil, nil
        end,
      })
    end)
  end)
end

return M
