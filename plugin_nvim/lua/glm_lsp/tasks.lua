--- Translation, and the tasks on code: what would be written is shown as a diff first.
local M = {}

local say = require('glm_lsp.notice').show
local view = require('glm_lsp.view')
local work = require('glm_lsp.work')

-- stylua: ignore
M.LANGUAGES = { 'c', 'cpp', 'csharp', 'go', 'java', 'javascript', 'kotlin', 'php', 'python', 'ruby', 'rust', 'typescript' }
local FILETYPES = { csharp = 'cs' }

---@class glm_lsp.Place
---@field line1 integer
---@field line2 integer
---@field ranged boolean whether the user gave a range

--- The lines of a command's range as LSP counts; whole lines, which need no encoding.
---@param place glm_lsp.Place
local function range(place)
  return { start = { line = place.line1 - 1, character = 0 }, ['end'] = { line = place.line2, character = 0 } }
end

---@param to string
---@param place glm_lsp.Place
function M.translate(to, place)
  local bufnr = vim.api.nvim_get_current_buf()
  local params = { textDocument = { uri = vim.uri_from_bufnr(bufnr) }, to = to }
  if place.ranged then
    params.range = range(place)
  end
  work.start('glm/translate', params, {
    title = 'translating to ' .. to,
    done = function(result)
      local name = result.uri and vim.fs.basename(vim.uri_to_fname(result.uri)) or ('translation.' .. to)
      local new = view.diff(bufnr, name, FILETYPES[to] or to, result.text)
      if not result.parses then
        local first = (result.errors or {})[1]
        say(('it does not parse%s'):format(first and (': line %d, %s'):format(first.line, first.message) or ''), vim.log.levels.WARN)
      elseif result.edit and not place.ranged then
        say(('it parses. :w here writes %s'):format(name))
      else
        say('it parses')
      end
      if result.edit and not place.ranged then
        M.write_creates(new, result)
      end
    end,
  })
end

--- `:w` in the translation's window creates the file beside the source; never over another.
---@param bufnr integer
---@param result { uri: string }
function M.write_creates(bufnr, result)
  vim.bo[bufnr].buftype = 'acwrite'
  vim.api.nvim_create_autocmd('BufWriteCmd', {
    buffer = bufnr,
    callback = function()
      local file = vim.uri_to_fname(result.uri)
      if vim.uv.fs_stat(file) then
        return say(file .. ' exists; nothing was written', vim.log.levels.ERROR)
      end
      vim.fn.writefile(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), file)
      vim.bo[bufnr].modified = false
      say('written: ' .. file)
    end,
  })
end

--- explain, document, comment, tests, fix, review.
---@param task string
---@param place glm_lsp.Place
function M.run(task, place)
  local bufnr = vim.api.nvim_get_current_buf()
  local params = { task = task, textDocument = { uri = vim.uri_from_bufnr(bufnr) }, range = range(place) }
  if task == 'fix' then
    local problem = vim.diagnostic.get(bufnr, { lnum = place.line1 - 1 })[1]
    if not problem then
      return say('there is no problem on this line', vim.log.levels.WARN)
    end
    params.diagnostic = { range = params.range, message = problem.message, source = problem.source or '' }
  end
  local prose = vim.list_contains({ 'explain', 'review' }, task) and view.growing(task .. '.md') or nil
  work.start('glm/chat', params, {
    title = task,
    on_text = prose and prose.add or nil,
    done = function(result, client)
      if result.edit and result.edit ~= vim.NIL then
        M.propose(bufnr, task, result.edit, client)
      elseif prose then
        prose.set(result.text)
      else
        view.show(task, vim.bo[bufnr].filetype, result.text)
      end
    end,
  })
end

--- A question in words, about the buffer.
---@param question string
---@param place glm_lsp.Place
function M.ask(question, place)
  local params = { task = 'ask', messages = { { role = 'user', content = question } } }
  local bufnr = vim.api.nvim_get_current_buf()
  if vim.api.nvim_buf_get_name(bufnr) ~= '' then
    params.textDocument = { uri = vim.uri_from_bufnr(bufnr) }
    params.range = range(place)
  end
  local answer = view.growing('answer.md')
  work.start('glm/chat', params, {
    title = 'asking',
    on_text = answer.add,
    done = function(result)
      answer.set(result.text)
    end,
  })
end

--- The buffer as it would be, beside the buffer as it is; a word of the user decides.
---@param bufnr integer
---@param task string
---@param edit lsp.WorkspaceEdit
---@param client vim.lsp.Client
function M.propose(bufnr, task, edit, client)
  local uri = vim.uri_from_bufnr(bufnr)
  local edits = (edit.changes or {})[uri]
  for _, change in ipairs(edit.documentChanges or {}) do
    if change.textDocument and change.textDocument.uri == uri then
      edits = change.edits
    end
  end
  if edits then
    local copy = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_lines(copy, 0, -1, false, vim.api.nvim_buf_get_lines(bufnr, 0, -1, false))
    vim.lsp.util.apply_text_edits(edits, copy, client.offset_encoding)
    local text = table.concat(vim.api.nvim_buf_get_lines(copy, 0, -1, false), '\n')
    vim.api.nvim_buf_delete(copy, { force = true })
    view.diff(bufnr, task, vim.bo[bufnr].filetype, text)
    vim.cmd.redraw()
  end
  vim.ui.select({ 'apply', 'leave' }, { prompt = ('GLM: %s: apply the change?'):format(task) }, function(choice)
    if edits then
      vim.cmd.tabclose()
    end
    if choice == 'apply' then
      vim.lsp.util.apply_workspace_edit(edit, client.offset_encoding)
    end
  end)
end

return M
