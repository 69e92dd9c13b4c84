--- Taking the ghost text that Neovim shows: whole, by word, by line.
---
--- Neovim keeps showing a suggestion while the next one is on its way (0.2 s and more), but accepts it
--- at its old place: what was typed in between would stay behind the inserted text. So each accept
--- here first fits the suggestion to the cursor, and drops it when the typed text says otherwise.
local M = {}

--- How much of the suggestion the user has typed since it was made.
---@param item vim.lsp.inline_completion.Item
---@return string? rest what would still be inserted at the cursor; nil: it does not fit any more
---@return vim.Range? range from the suggestion's start up to the cursor, or its own end if that is later
local function fit(item)
  local text = item.insert_text
  if type(text) ~= 'string' then
    return nil
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  if not item.range then
    return text, vim.range(0, row, col, row, col)
  end
  local start_row, start_col, end_row, end_col = item.range:to_extmark()
  if row ~= start_row or col < start_col then
    return nil
  end
  local typed = vim.api.nvim_buf_get_text(0, row, start_col, row, col, {})[1]
  if not vim.startswith(text, typed) then
    return nil
  end
  if end_row == row then
    end_col = math.max(end_col, col)
  end
  return text:sub(#typed + 1), vim.range(0, start_row, start_col, end_row, end_col)
end

--- Whether the suggestion still leads on from what is typed.
---@param item vim.lsp.inline_completion.Item
---@return boolean
function M.fits(item)
  return fit(item) ~= nil
end

--- Make one undo step of what is inserted, apart from what was typed before.
local function break_undo()
  vim.bo.undolevels = vim.bo.undolevels
end

---@param text string
local function insert_at_cursor(text)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  local lines = vim.split(text, '\n', { plain = true })
  vim.api.nvim_buf_set_text(0, row, col, row, col, lines)
  local end_col = (#lines == 1 and col or 0) + #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines, end_col })
end

--- Accept the piece that `cut` takes from the beginning of the rest.
---@param cut fun(rest: string): string
---@return boolean taken false where no suggestion is shown
local function accept_piece(cut)
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local rest, range = fit(item)
      if not rest then
        return nil
      end
      break_undo()
      local piece = cut(rest)
      if piece == rest then
        item.range = range
        return item -- Neovim inserts it and runs its command
      end
      insert_at_cursor(piece)
      return nil
    end,
  })
end

---@return boolean
function M.accept()
  return accept_piece(function(rest)
    return rest
  end)
end

--- White space, then a run of word characters (any letters), or one other character.
---@return boolean
function M.accept_word()
  return accept_piece(function(rest)
    return vim.fn.matchstr(rest, [=[\v^\_s*%(\k+|[^[:keyword:][:space:]]|$)]=])
  end)
end

---@return boolean
function M.accept_line()
  return accept_piece(function(rest)
    return rest:match('^\n*[^\n]*')
  end)
end

--- Send the suggestion away without taking it.
function M.dismiss()
  vim.lsp.inline_completion.get({
    on_accept = function()
      return nil
    end,
  })
end

return M
