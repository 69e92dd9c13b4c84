--- The plug-in's options, from `setup()` or `vim.g.glm_lsp`. Not here: the server's settings,
--- which pass through untouched as `settings`.
local M = {}

---@class glm_lsp.Options
---@field cmd? string[] the server's command line (default: glm-lsp from your PATH)
---@field auto_enable? boolean attach to every file by itself (default: true)
---@field filetypes_off? string[] file types that begin without ghost text
---@field settings? table<string, any> the section `glm`, see docs/settings.md

local defaults = {
  cmd = { 'glm-lsp', '--stdio' },
  auto_enable = true,
  filetypes_off = {},
  settings = {},
}

---@type glm_lsp.Options?
local chosen

---@param options glm_lsp.Options
local function validate(options)
  vim.validate('cmd', options.cmd, 'table', true)
  vim.validate('auto_enable', options.auto_enable, 'boolean', true)
  vim.validate('filetypes_off', options.filetypes_off, 'table', true)
  vim.validate('settings', options.settings, 'table', true)
  for name in pairs(options) do
    if defaults[name] == nil then
      error(('glm_lsp: there is no option %q'):format(name), 0)
    end
  end
end

---@param options glm_lsp.Options
function M.set(options)
  validate(options)
  chosen = options
  vim.lsp.config('glm_lsp', { settings = { glm = M.get().settings } })
  for _, client in ipairs(vim.lsp.get_clients({ name = 'glm_lsp' })) do
    client.settings = { glm = M.get().settings }
    client:notify('workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- All options, with defaults filled in.
---@return glm_lsp.Options
function M.get()
  if chosen == nil then
    M.set(vim.g.glm_lsp or {})
  end
  return vim.tbl_extend('force', defaults, chosen)
end

return M
