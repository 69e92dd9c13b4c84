-- What Neovim needs to know about the server (see |lsp-config|). Change any of it with
-- vim.lsp.config('glm_lsp', { ... }).
---@type vim.lsp.Config
return {
  cmd = function(dispatchers)
    return require('glm_lsp.server').spawn(dispatchers)
  end,
  root_dir = function(bufnr, on_dir)
    if require('glm_lsp.server').usable() then
      on_dir(vim.fs.root(bufnr, { '.git' }))
    end
  end,
  handlers = {
    ['glm/status'] = function(_, status, ctx)
      require('glm_lsp.status').set(ctx.client_id, status)
    end,
    ['glm/delta'] = function(_, delta)
      require('glm_lsp.work').delta(delta)
    end,
    ['window/showMessage'] = function(_, params)
      require('glm_lsp.notice').from_server(params)
    end,
  },
  on_init = function(client)
    require('glm_lsp.fresh_text').watch(client)
    require('glm_lsp.status').set(client.id, { state = 'starting' })
  end,
  on_attach = function(_, bufnr)
    require('glm_lsp.switches').apply(bufnr)
  end,
}
