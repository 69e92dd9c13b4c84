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
---@field text? boolean whether any text may follow
---@field run fun(rest: string, place: glm_lsp.Place)

---@type table<string, glm_lsp.Command>
local commands = {
  status = { words = { 'long' }, run = show_status },
  toggle = {
    words = { 'all', 'filetype', 'buffer' },
    run = function(scope)
      say(require('glm_lsp.switches').toggle(scope ~= '' and scope or nil))
    end,
  },
  snooze = {
    words = { '5', '15', '60' },
    run = function(minutes)
      local count = tonumber(minutes ~= '' and minutes or '15')
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
  doctor = { run = function() require('glm_lsp.models').doctor() end },
  why = { run = function() require('glm_lsp.models').why() end },
  model = { text = true, run = function(name) require('glm_lsp.models').choose('model', name) end },
  adapter = { text = true, run = function(name) require('glm_lsp.models').choose('adapter', name) end },
  finetune = { words = { 'plan' }, run = function(how) require('glm_lsp.models').finetune(how) end },
  translate = {
    words = require('glm_lsp.tasks').LANGUAGES,
    run = function(to, place)
      if to == '' then
        return say('to which language? For example :GLM translate python', vim.log.levels.WARN)
      end
      require('glm_lsp.tasks').translate(to, place)
    end,
  },
  explain = { run = function(_, place) require('glm_lsp.tasks').run('explain', place) end },
  document = { run = function(_, place) require('glm_lsp.tasks').run('document', place) end },
  comment = { run = function(_, place) require('glm_lsp.tasks').run('comment', place) end },
  tests = { run = function(_, place) require('glm_lsp.tasks').run('tests', place) end },
  fix = { run = function(_, place) require('glm_lsp.tasks').run('fix', place) end },
  review = { run = function(_, place) require('glm_lsp.tasks').run('review', place) end },
  ask = { text = true, run = function(question, place) require('glm_lsp.tasks').ask(question, place) end },
  image = { text = true, run = function(rest) require('glm_lsp.pictures').ask(rest) end },
  draw = { text = true, run = function(prompt) require('glm_lsp.pictures').draw(prompt) end },
  stop = {
    run = function()
      local stopped = require('glm_lsp.work').stop()
      say(stopped == 0 and 'nothing is running' or ('%d stopped'):format(stopped))
    end,
  },
}

---@param words string[]
---@param call? vim.api.keyset.create_user_command.command_args
function M.run(words, call)
  local name = words[1] or 'status'
  local command = commands[name]
  local rest = table.concat(words, ' ', 2)
  if not command then
    say(('there is no :GLM %s; one of: %s'):format(name, table.concat(M.names(), ', ')), vim.log.levels.ERROR)
  elseif rest ~= '' and not (command.words or command.text) then
    say((':GLM %s takes no argument'):format(name), vim.log.levels.ERROR)
  else
    local here = vim.api.nvim_win_get_cursor(0)[1]
    local ranged = call ~= nil and call.range > 0
    local place = { line1 = ranged and call.line1 or here, line2 = ranged and call.line2 or here, ranged = ranged }
    command.run(rest, place)
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
