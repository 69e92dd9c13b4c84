--- What the server last said about itself (`glm/status`), for status lines and :GLM status.
--- Fires the autocommand `User GlmStatus` at each change.
local M = {}

---@class glm_lsp.Status
---@field state string
---@field model? string
---@field message? string

---@type table<integer, glm_lsp.Status>
local by_client = {}

--- Ask once more, as a key would: what was typed while the server was getting ready got no answer.
local function catch_up()
  local bufnr = vim.api.nvim_get_current_buf()
  if vim.startswith(vim.api.nvim_get_mode().mode, 'i') and M.of(bufnr) then
    local group = 'nvim.lsp.inline_completion:' .. bufnr
    pcall(vim.api.nvim_exec_autocmds, 'CursorMovedI', { group = group, buf = bufnr, modeline = false })
  end
end

---@param client_id integer
---@param status glm_lsp.Status
function M.set(client_id, status)
  local before = by_client[client_id]
  by_client[client_id] = status
  if status.state == 'ready' and (not before or before.state ~= 'ready') then
    catch_up()
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'GlmStatus', modeline = false, data = status })
  vim.cmd.redrawstatus({ bang = true })
end

---@param bufnr integer
---@return glm_lsp.Status?
function M.of(bufnr)
  local client = vim.lsp.get_clients({ name = 'glm_lsp', bufnr = bufnr })[1]
  return client and (by_client[client.id] or { state = 'starting' })
end

---@param bufnr integer
---@return string
function M.short(bufnr)
  local status = M.of(bufnr)
  if not status then
    return ''
  end
  local why_off = require('glm_lsp.switches').reason(vim._resolve_bufnr(bufnr))
  return 'GLM: ' .. (why_off or status.state)
end

--- One line for :GLM status.
---@param bufnr integer
---@return string
function M.long(bufnr)
  local status = M.of(bufnr)
  if not status then
    return 'the server is not attached to this buffer'
  end
  local parts = { status.state }
  for _, part in ipairs({ status.model or '', status.message or '' }) do
    if part ~= vim.NIL and part ~= '' then
      table.insert(parts, part)
    end
  end
  return table.concat(parts, ' · ')
end

return M
