--- Models and adapters: what the daemon has, chosen for this session; and fine-tuning.
local M = {}

local say = require('glm_lsp.notice').show
local view = require('glm_lsp.view')
local work = require('glm_lsp.work')

--- Write a setting of the server for this session.
---@param key 'model'|'adapter'
---@param value string
local function set(key, value)
  local client = work.client()
  if not client then
    return
  end
  client.settings = vim.tbl_deep_extend('force', client.settings or {}, { glm = { [key] = value } })
  client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  say(value == '' and ('the default %s is used'):format(key) or ('%s: %s'):format(key, value))
end

--- `:GLM model [name]`, `:GLM adapter [name]`; without a name, a list to choose from.
---@param key 'model'|'adapter'
---@param name string
function M.choose(key, name)
  if name ~= '' then
    return set(key, name == 'default' and '' or name)
  end
  local client = work.client()
  if not client then
    return
  end
  client:request('glm/models', vim.empty_dict(), function(err, result)
    if err then
      return say(err.message, vim.log.levels.WARN)
    end
    local names = { 'default' }
    for _, each in ipairs(result[key .. 's'] or {}) do
      table.insert(names, each.name)
    end
    vim.ui.select(names, { prompt = 'GLM: which ' .. key .. '?' }, function(choice)
      if choice then
        set(key, choice == 'default' and '' or choice)
      end
    end)
  end)
end

--- `:GLM finetune [plan]`: the plan alone, or the run; the receipt in a window.
---@param how string
function M.finetune(how)
  local folder = vim.fs.root(0, { '.git' }) or vim.uv.cwd()
  work.start('glm/finetune', { folder = vim.uri_from_fname(folder), dryRun = how == 'plan' }, {
    title = how == 'plan' and 'planning' or 'fine-tuning',
    done = function(result)
      view.show('finetune.json', 'json', vim.json.encode(result, { indent = '  ' }))
      say(result.reason or 'done')
    end,
  })
end

--- `:GLM why`: the account of the last suggestion.
function M.why()
  local client = work.client()
  if not client then
    return
  end
  local params = { textDocument = { uri = vim.uri_from_bufnr(0) } }
  client:request('glm/explainLast', params, function(err, result)
    if err then
      return say(err.message, vim.log.levels.WARN)
    end
    view.show('why.json', 'json', vim.json.encode(result, { indent = '  ' }))
  end)
end

--- `:GLM doctor` in a terminal.
function M.doctor()
  local program = require('glm_lsp.server').program()
  if not program then
    return say('the program `glm-lsp` was not found. See :help glm_lsp-install', vim.log.levels.WARN)
  end
  vim.cmd.new()
  vim.fn.jobstart({ program, 'doctor' }, { term = true })
end

return M
