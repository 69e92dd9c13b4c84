--- :checkhealth glm_lsp
local M = {}

local health = vim.health

local function check_program()
  local program = require('glm_lsp.server').program()
  if not program then
    health.error('The program `glm-lsp` was not found.', {
      'Install it (docs/install.md), so that `glm-lsp --version` works in a shell,',
      "or name it: vim.g.glm_lsp = { cmd = { '/path/to/.venv/bin/glm-lsp', '--stdio' } }",
    })
    return
  end
  local done = vim.system({ program, '--version' }, { text = true, cwd = vim.uv.os_homedir() }):wait(5000)
  if done.code == 0 then
    health.ok(('%s: %s'):format(program, vim.trim(done.stdout)))
  else
    health.error(('%s --version failed: %s'):format(program, vim.trim(done.stderr or '')))
  end
end

local function check_clients()
  local clients = vim.lsp.get_clients({ name = 'glm_lsp' })
  if #clients == 0 then
    health.info('No server runs: it starts with the first file that has a file type.')
  end
  for _, client in ipairs(clients) do
    if client:supports_method('textDocument/inlineCompletion') then
      health.ok(('Server %d runs (%s).'):format(client.id, client.offset_encoding))
    else
      health.error(('Server %d offers no inline completion.'):format(client.id))
    end
    local buffer = next(client.attached_buffers)
    if buffer then
      health.info('It says: ' .. require('glm_lsp.status').long(buffer))
    end
  end
end

function M.check()
  health.start('glm-lsp')
  if vim.fn.has('nvim-0.12') == 1 then
    health.ok('Neovim ' .. tostring(vim.version()))
  else
    health.error('Neovim 0.12 or newer is needed; this is ' .. tostring(vim.version()))
    return
  end
  check_program()
  if not vim.lsp.is_enabled('glm_lsp') then
    health.warn('It is not enabled.', { "vim.lsp.enable('glm_lsp')" })
  end
  check_clients()
  if vim.fn.hasmapto('<Plug>(glm-accept)', 'i') == 0 and vim.fn.maparg('<Tab>', 'i') == '' then
    health.info('No key takes the ghost text yet: see :help glm_lsp-maps')
  end
end

return M
