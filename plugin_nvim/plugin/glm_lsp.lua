-- Entry: commands and <Plug> maps. The rest is loaded when it is first used.
if vim.g.loaded_glm_lsp then
  return
end
vim.g.loaded_glm_lsp = true

if vim.fn.has('nvim-0.12') == 0 then
  vim.notify('glm-lsp needs Neovim 0.12 or newer.', vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('GLM', function(call)
  require('glm_lsp.commands').run(call.fargs, call)
end, {
  nargs = '*',
  range = true,
  desc = 'glm-lsp: ghost text from your own machine',
  complete = function(lead, line)
    return require('glm_lsp.commands').complete(lead, line)
  end,
})

---@param name string
---@param action fun()
---@param desc string
local function plug(name, action, desc)
  vim.keymap.set('i', '<Plug>(glm-' .. name .. ')', action, { desc = 'GLM: ' .. desc })
end
-- stylua: ignore start
plug('accept',      function() require('glm_lsp.ghost_text').accept() end,      'take the ghost text')
plug('accept-word', function() require('glm_lsp.ghost_text').accept_word() end, 'take its next word')
plug('accept-line', function() require('glm_lsp.ghost_text').accept_line() end, 'take its next line')
plug('dismiss',     function() require('glm_lsp.ghost_text').dismiss() end,     'send it away')
plug('next',        function() vim.lsp.inline_completion.select({ count = 1 }) end,  'next suggestion')
plug('prev',        function() vim.lsp.inline_completion.select({ count = -1 }) end, 'previous suggestion')
-- stylua: ignore end

-- Later in this tick, so that a setup() of the plug-in manager comes first.
vim.schedule(function()
  if require('glm_lsp.config').get().auto_enable then
    vim.lsp.enable('glm_lsp')
  end
end)
