--- Scratch windows for what the server wrote: an answer that grows, a diff beside the source.
local M = {}

---@param name string
---@param filetype string
---@return integer bufnr
local function scratch(name, filetype)
  local bufnr = vim.api.nvim_create_buf(false, true)
  pcall(vim.api.nvim_buf_set_name, bufnr, ('glm://%d/%s'):format(bufnr, name))
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].filetype = filetype
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'GLM: close' })
  return bufnr
end

--- A text in a split of its own.
---@param name string
---@param filetype string
---@param text string
---@return integer bufnr
function M.show(name, filetype, text)
  local bufnr = scratch(name, filetype)
  vim.cmd.split({ mods = { keepalt = true } })
  vim.api.nvim_win_set_buf(0, bufnr)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(text, '\n'))
  return bufnr
end

--- A window that grows. `add` appends text; `set` replaces all.
---@param name string
---@return { bufnr: integer, add: fun(text: string), set: fun(text: string) }
function M.growing(name)
  local bufnr = M.show(name, 'markdown', '')
  local window = vim.api.nvim_get_current_win()
  vim.wo[window].wrap = true
  vim.wo[window].linebreak = true
  vim.cmd.wincmd('p')
  local view = { bufnr = bufnr }
  function view.add(text)
    if not vim.api.nvim_buf_is_valid(bufnr) then
      return
    end
    local last = vim.api.nvim_buf_get_lines(bufnr, -2, -1, false)[1] or ''
    vim.api.nvim_buf_set_lines(bufnr, -2, -1, false, vim.split(last .. text, '\n'))
    if vim.api.nvim_win_is_valid(window) then
      vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(bufnr), 0 })
    end
  end
  function view.set(text)
    if vim.api.nvim_buf_is_valid(bufnr) then
      vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, vim.split(text, '\n'))
    end
  end
  return view
end

--- A new text beside a buffer, in diff mode, in a tab of its own. `:tabclose` leaves everything as it was.
---@param bufnr integer
---@param name string
---@param filetype string
---@param text string
---@return integer bufnr of the new text
function M.diff(bufnr, name, filetype, text)
  vim.cmd('tab sbuffer ' .. bufnr)
  vim.cmd.diffthis()
  vim.cmd.vsplit({ mods = { split = 'belowright' } })
  local new = scratch(name, filetype)
  vim.bo[new].bufhidden = 'hide'
  vim.api.nvim_win_set_buf(0, new)
  vim.api.nvim_buf_set_lines(new, 0, -1, false, vim.split((text:gsub('\n$', '')), '\n'))
  vim.cmd.diffthis()
  return new
end

return M
