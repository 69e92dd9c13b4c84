--- Ghost text on and off: everywhere, by file type, by buffer, or for a while.
local M = {}

local on = true
---@type table<string, boolean>?
local filetypes_off
---@type table<integer, boolean>
local buffers_off = {}
local snooze_timer ---@type uv.uv_timer_t?

local function off_by_filetype()
  if not filetypes_off then
    filetypes_off = {}
    for _, filetype in ipairs(require('glm_lsp.config').get().filetypes_off) do
      filetypes_off[filetype] = true
    end
  end
  return filetypes_off
end

---@param bufnr integer
function M.wanted(bufnr)
  local filetype = vim.bo[bufnr].filetype
  return on and not snooze_timer and not buffers_off[bufnr] and not off_by_filetype()[filetype]
end

--- Bring Neovim's own switch of one buffer, or of all with the server, in line.
---@param bufnr? integer
function M.apply(bufnr)
  for _, client in ipairs(vim.lsp.get_clients({ name = 'glm_lsp', bufnr = bufnr })) do
    for attached in pairs(client.attached_buffers) do
      if bufnr == nil or attached == bufnr then
        vim.lsp.inline_completion.enable(M.wanted(attached), { bufnr = attached })
        require('glm_lsp.fresh_text').attach(attached)
      end
    end
  end
end

---@param scope? 'all'|'filetype'|'buffer'
---@return string what happened, for the user
function M.toggle(scope)
  local bufnr = vim.api.nvim_get_current_buf()
  local filetype = vim.bo[bufnr].filetype
  local said
  if scope == 'buffer' then
    buffers_off[bufnr] = not buffers_off[bufnr] or nil
    said = 'in this buffer ' .. (buffers_off[bufnr] and 'off' or 'on')
  elseif scope == 'filetype' then
    off_by_filetype()[filetype] = not off_by_filetype()[filetype] or nil
    said = ('for %s %s'):format(filetype, off_by_filetype()[filetype] and 'off' or 'on')
  else
    on = not on
    said = on and 'on' or 'off'
  end
  M.apply()
  return 'ghost text is ' .. said
end

function M.resume()
  if snooze_timer then
    snooze_timer:stop()
    snooze_timer:close()
    snooze_timer = nil
  end
  M.apply()
end

---@param minutes number
function M.snooze(minutes)
  M.resume()
  snooze_timer = vim.defer_fn(function()
    snooze_timer = nil
    M.apply()
  end, math.floor(minutes * 60000))
  M.apply()
end

--- Why ghost text is off here, or nil.
---@param bufnr integer
---@return string?
function M.reason(bufnr)
  if not on then
    return 'off'
  elseif snooze_timer then
    return 'snoozed'
  elseif not M.wanted(bufnr) then
    return 'off here'
  end
end

return M
