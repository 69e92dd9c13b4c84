--- Messages for the user, never longer than the line they are shown on: a longer one would stop the
--- user in mid-typing with "Press ENTER". The whole text of the last one is in :GLM status.
local M = {}

---@type string?
M.last = nil

--- lsp.MessageType to vim.log.levels; anything unknown is information.
local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN }

---@param message string
---@param level? integer
function M.show(message, level)
  local line = 'GLM: ' .. message:gsub('^glm%-lsp: ', ''):gsub('%s+', ' ')
  local room = math.max(vim.v.echospace - 1, 20)
  if vim.fn.strdisplaywidth(line) > room then
    line = vim.fn.strcharpart(line, 0, room - 1)
    while vim.fn.strdisplaywidth(line) >= room do
      line = vim.fn.strcharpart(line, 0, vim.fn.strchars(line) - 1)
    end
    line = line .. '…'
  end
  vim.notify(line, level or vim.log.levels.INFO)
end

--- Handler of `window/showMessage`.
---@param params lsp.ShowMessageParams
function M.from_server(params)
  M.last = params.message
  M.show(params.message, LEVELS[params.type])
end

return M
