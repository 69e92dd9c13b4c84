--- The command :GLM and its completion.
local M = {}

local say = require('glm_lsp.notice').show

--- Run a command of the server and hand its result on.
---@param command string
---@param on_result fun(result: any)
local function ask_server(command, on_result)
  local client = vim.lsp.get_clients({ name = 'glm_lsp' })[1]
  if not client then
    say('the server is not running; :GLM restart starts it', vim.log.levels.WARN)
    return
  end
  client:request('workspace/executeCommand', { command = command, arguments = {} }, function(err, result)
    if err then
      say(err.message, vim.log.levels.WARN)
    else
      on_result(result)
    end
  end)
end

--- One line; what the server last complained about comes with it, and whole with `:GLM status long`.
---@param how? string
local function show_status(how)
  local line = require('glm_lsp.status').long(0)
  local last = require('glm_lsp.notice').last
  if how == 'long' then
    print(line .. (last and '\n' .. last or ''))
    return
  end
  ask_server('glm.server.status', function(result)
    say(('%s · %d taken, %d open files'):format(line, result.accepted or 0, result.documents or 0))
  end)
end

---@class glm_lsp.Command
---@field words? string[] what may follow
---@field run fun(word?: string)

---@type table<string, glm_lsp.Command>
local commands = {
  status = { words = { 'long' }, run = show_status },
  toggle = {
    words = { 'all', 'filetype', 'buffer' },
    run = function(scope)
      say(require('glm_lsp.switches').toggle(scope))
    end,
  },
  snooze = {
    words = { '5', '15', '60' },
    run = function(minutes)
      local count = tonumber(minutes or '15')
      if not count or count <= 0 then
        return say('how many minutes? For example :GLM snooze 15', vim.log.levels.WARN)
      end
      require('glm_lsp.switches').snooze(count)
      say(('no ghost text for %s minutes; :GLM resume ends it'):format(count))
    end,
  },
  resume = {
    run = function()
      require('glm_lsp.switches').resume()
      say('ghost text is back')
    end,
  },
  restart = {
    words = { 'server', 'daemon' },
    run = function(what)
      if what == 'daemon' then
        return ask_server('glm.server.restart', function()
          say('the daemon is restarted')
        end)
      end
      require('glm_lsp.server').restart()
      say('the server is restarted')
    end,
  },
  log = {
    run = function()
      vim.cmd.tabedit(vim.lsp.log.get_filename())
      vim.cmd.normal({ 'G', bang = true })
    end,
  },
  health = { run = function() vim.cmd.checkhealth('glm_lsp') end },
}

---@param words string[]
function M.run(words)
  local name = words[1] or 'status'
  local command = commands[name]
  if not command then
    say(('there is no :GLM %s; one of: %s'):format(name, table.concat(M.names(), ', ')), vim.log.levels.ERROR)
  elseif words[2] and not command.words then
    say((':GLM %s takes no argument'):format(name), vim.log.levels.ERROR)
  else
    command.run(words[2])
  end
end

---@return string[]
function M.names()
  local names = vim.tbl_keys(commands)
  table.sort(names)
  return names
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local before = vim.split(line:sub(1, #line - #lead), '%s+', { trimempty = true })
  local candidates = {}
  if #before == 1 then
    candidates = M.names()
  elseif #before == 2 and commands[before[2]] then
    candidates = commands[before[2]].words or {}
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, candidates)
end

return M
