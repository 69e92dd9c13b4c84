--- Long work of the server: one request with a token, its pieces as they come, and a way to stop it.
local M = {}

local say = require('glm_lsp.notice').show

---@class glm_lsp.Work
---@field title string
---@field on_text? fun(text: string)
---@field client vim.lsp.Client
---@field id? integer

---@type table<string, glm_lsp.Work> by token
local running = {}
local count = 0

---@return vim.lsp.Client?
function M.client()
  local client = vim.lsp.get_clients({ name = 'glm_lsp' })[1]
  if not client then
    say('the server is not running; :GLM restart starts it', vim.log.levels.WARN)
  end
  return client
end

--- Handler of `glm/delta`.
---@param delta { token: string, text?: string, step?: integer, steps?: integer, message?: string }
function M.delta(delta)
  local work = running[delta.token]
  if not work then
    return
  end
  if delta.text and work.on_text then
    work.on_text(delta.text)
  end
  if delta.step and delta.steps then
    say(('%s %d/%d %s'):format(work.title, delta.step, delta.steps, delta.message or ''))
  end
end

--- Ask, show what goes on, hand the answer on. Errors of the server are shown.
---@param method string
---@param params table
---@param options { title: string, on_text?: fun(text: string), on_end?: fun(), done: fun(result: table, client: vim.lsp.Client) }
function M.start(method, params, options)
  local client = M.client()
  if not client then
    return
  end
  count = count + 1
  local token = ('nvim-%d-%d'):format(vim.fn.getpid(), count)
  local work = { title = options.title, on_text = options.on_text, client = client }
  running[token] = work
  say(options.title .. '… (:GLM stop ends it)')
  local sent, id = client:request(method, vim.tbl_extend('force', params, { token = token }), function(err, result)
    running[token] = nil
    if options.on_end then
      options.on_end()
    end
    if err then
      local stopped = err.code == vim.lsp.protocol.ErrorCodes.RequestCancelled
      say(stopped and (options.title .. ': stopped') or err.message, vim.log.levels.WARN)
    elseif result then
      options.done(result, client)
    end
  end)
  if sent then
    work.id = id
  else
    running[token] = nil
  end
end

--- Stop everything that runs. Gives how many that were.
---@return integer
function M.stop()
  local stopped = 0
  for _, work in pairs(running) do
    if work.id then
      work.client:cancel_request(work.id)
      stopped = stopped + 1
    end
  end
  return stopped
end

return M
