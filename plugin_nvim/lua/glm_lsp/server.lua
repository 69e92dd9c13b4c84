--- The server's process: which program, where it is started, and again after a crash.
--- Invariant: nothing inside the open project is executed. The program comes from the user's own
--- options or an absolute folder of PATH outside the working directory; it runs in the home folder.
local M = {}

local WAITS_MS = { 0, 250, 500, 1000, 2000, 4000, 8000, 15000 }
local LONG_LIFE_MS = 60000
local short_lives = 0
local told_unusable = false

---@param message string
local function warn(message)
  require('glm_lsp.notice').show(message, vim.log.levels.WARN)
end

---@param folder string
---@param parent string
local function inside(folder, parent)
  return folder == parent or vim.startswith(folder, parent:gsub('/+$', '') .. '/')
end

--- Absolute path of the program named in the options, or nil.
---@return string?
function M.program()
  local name = require('glm_lsp.config').get().cmd[1]
  if name:find('/') then
    local path = vim.fs.normalize(name)
    return vim.startswith(path, '/') and vim.fn.executable(path) == 1 and path or nil
  end
  local here = vim.uv.fs_realpath(vim.uv.cwd() or '/') or '/'
  local home = vim.uv.os_homedir() or '/'
  local folders = vim.split(vim.env.PATH or '', ':', { plain = true })
  table.insert(folders, home .. '/.local/bin')
  for _, folder in ipairs(folders) do
    local file = folder .. '/' .. name
    if vim.startswith(folder, '/') and vim.fn.executable(file) == 1 then
      local real = vim.uv.fs_realpath(file) or file
      -- In the home folder itself everything would count as "inside the project".
      if here == home or here == '/' or not (inside(real, here) or inside(file, here)) then
        return file
      end
    end
  end
end

--- Whether the server can be started; says once why not.
---@return boolean
function M.usable()
  if M.program() then
    return true
  end
  if not told_unusable then
    told_unusable = true
    warn('the program `glm-lsp` was not found. See :help glm_lsp-install')
  end
  return false
end

--- Start it. Deaths are handled here, so Neovim is told of a clean end each time.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
function M.spawn(dispatchers)
  local program = assert(M.program(), 'glm-lsp is not installed')
  local command = vim.list_extend({ program }, require('glm_lsp.config').get().cmd, 2)
  local born = vim.uv.now()
  local on_exit = dispatchers.on_exit
  local watching = vim.tbl_extend('force', dispatchers, {
    on_exit = function(code, signal)
      on_exit(0, 0)
      if code ~= 0 or signal ~= 0 then
        vim.schedule(function()
          M.died(vim.uv.now() - born)
        end)
      end
    end,
  })
  return vim.lsp.rpc.start(command, watching, { cwd = vim.uv.os_homedir() })
end

--- Again after a crash: at once, then ever more slowly, then no more.
---@param lived_ms integer
function M.died(lived_ms)
  if vim.v.exiting ~= vim.NIL or not vim.lsp.is_enabled('glm_lsp') then
    return
  end
  short_lives = (lived_ms >= LONG_LIFE_MS and 0 or short_lives) + 1
  local wait = WAITS_MS[short_lives]
  if not wait then
    warn('the server ended again and again. :GLM restart starts it, :GLM log tells why.')
    return
  end
  -- Not in the same tick: Neovim forgets the dead client only in the one after the next.
  vim.defer_fn(function()
    vim.lsp.enable('glm_lsp')
  end, math.max(wait, 50))
end

--- The user's wish: stop what runs, then start for every open file.
function M.restart()
  short_lives, told_unusable = 0, false
  vim.lsp.enable('glm_lsp', false)
  vim.wait(3000, function()
    return #vim.lsp.get_clients({ name = 'glm_lsp', _uninitialized = true }) == 0
  end, 20)
  for _, client in ipairs(vim.lsp.get_clients({ name = 'glm_lsp', _uninitialized = true })) do
    client:stop(true)
  end
  vim.lsp.enable('glm_lsp')
end

return M
