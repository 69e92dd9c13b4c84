--- Questions about pictures, and pictures drawn.
local M = {}

local say = require('glm_lsp.notice').show
local view = require('glm_lsp.view')
local work = require('glm_lsp.work')

-- Programs that write the clipboard's picture to stdout.
local CLIPBOARDS = {
  { 'wl-paste', '--type', 'image/png' },
  { 'xclip', '-selection', 'clipboard', '-t', 'image/png', '-o' },
  { 'pngpaste', '-' },
}

---@return string? base64 of the clipboard's picture
local function from_clipboard()
  for _, command in ipairs(CLIPBOARDS) do
    if vim.fn.executable(command[1]) == 1 then
      local done = vim.system(command, { text = false, timeout = 5000 }):wait()
      if done.code == 0 and #done.stdout > 0 then
        return vim.base64.encode(done.stdout)
      end
    end
  end
end

--- `:GLM image clipboard|{path} {question}`
---@param rest string
function M.ask(rest)
  local source, question = rest:match('^(%S+)%s*(.*)$')
  if not source then
    return say('which picture? For example :GLM image shot.png what is this error?', vim.log.levels.WARN)
  end
  local image
  if source == 'clipboard' then
    local data = from_clipboard()
    if not data then
      return say('there is no picture in the clipboard (wl-paste, xclip or pngpaste reads it)', vim.log.levels.WARN)
    end
    image = { data = data }
  else
    local path = vim.fs.abspath(vim.fs.normalize(source))
    if not vim.uv.fs_stat(path) then
      return say('there is no file ' .. path, vim.log.levels.WARN)
    end
    image = { uri = vim.uri_from_fname(path) }
  end
  local answer = view.growing('picture.md')
  work.start('glm/askImage', { images = { image }, question = question ~= '' and question or 'Read the text.' }, {
    title = 'looking',
    on_text = answer.add,
    done = function(result)
      local lines = { result.text }
      for _, box in ipairs(result.boxes or {}) do
        table.insert(lines, ('[%s]'):format(table.concat(box, ', ')))
      end
      answer.set(table.concat(lines, '\n'))
    end,
  })
end

--- `:GLM draw {prompt}`: the file goes beside the buffer, its link to the cursor.
---@param prompt string
function M.draw(prompt)
  if prompt == '' then
    return say('draw what? For example :GLM draw a red circle', vim.log.levels.WARN)
  end
  local name = vim.api.nvim_buf_get_name(0)
  local folder = name ~= '' and vim.fs.dirname(name) or vim.uv.cwd()
  local params = { prompt = prompt, target = vim.uri_from_fname(folder) }
  local client = work.client()
  if name ~= '' and client then
    params.textDocument = { uri = vim.uri_from_bufnr(0) }
    params.position = vim.lsp.util.make_position_params(0, client.offset_encoding).position
  end
  work.start('glm/drawImage', params, {
    title = 'drawing',
    done = function(result, from)
      if result.edit and result.edit ~= vim.NIL then
        vim.lsp.util.apply_workspace_edit(result.edit, from.offset_encoding)
      end
      say(('drawn with seed %s: %s'):format(result.seed, vim.fs.basename(vim.uri_to_fname(result.files[1]))))
    end,
  })
end

return M
