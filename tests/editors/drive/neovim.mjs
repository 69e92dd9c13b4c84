// Drives real Neovim in a real terminal; asks it questions over its own socket, never for the typing.
import fs from 'node:fs';
import path from 'node:path';
import { REPOSITORY, sleep, until } from './lab.mjs';
import { NeovimSocket } from './neovim_socket.mjs';
import { Terminal } from './terminal.mjs';

// Without context the fake's answer follows from the open file alone.
const FAKE = "{ model = 'fake', trace = { server = 'verbose' }, context = { enable = false } }";
const init = settings => `
vim.opt.runtimepath:prepend(${JSON.stringify(path.join(REPOSITORY, 'plugin_nvim'))})
vim.g.glm_lsp = { settings = ${settings} }
vim.keymap.set('i', '<Tab>', function()
  return require('glm_lsp').accept() and '' or '<Tab>'
end, { expr = true })
vim.keymap.set('i', '<C-f>', '<Plug>(glm-accept-word)')
vim.keymap.set('i', '<C-l>', '<Plug>(glm-accept-line)')
vim.keymap.set('i', '<C-e>', '<Plug>(glm-dismiss)')
vim.g.loaded_python3_provider = 0 -- Neovim's own ftplugin would look for Python for seconds
vim.o.number, vim.o.swapfile, vim.o.laststatus = true, false, 2
vim.o.statusline = ' %f %m%=%{v:lua.require("glm_lsp").statusline()} %l:%c '

-- The grey text on screen.
function _G.GhostText()
  local space = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
  local mark = space and vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })[1]
  if not mark then
    return ''
  end
  local lines = { mark[4].virt_text[1][1] }
  for _, line in ipairs(mark[4].virt_lines or {}) do
    table.insert(lines, line[1][1])
  end
  return table.concat(lines, '\\n')
end
`;

export class Neovim {
  constructor(lab, editors, program) {
    this.lab = lab;
    this.program = program;
    this.terminal = new Terminal(lab, editors);
  }

  /** `settings`: section `glm` as a Lua table. */
  async start(folder, { settings = FAKE, script = {} } = {}) {
    this.socket = path.join(this.lab.root, `nvim-${Date.now()}.sock`);
    const file = this.lab.write('init.lua', init(settings));
    const env = { ...this.lab.environment(script), NVIM_LOG_FILE: path.join(this.lab.root, 'nvim.log') };
    this.environment = env;
    this.terminal.start(this.program, ['-u', file, '--listen', this.socket], folder, env);
    this.connection = await NeovimSocket.open(this.socket);
    await this.lua('1');
  }

  /** Value of a Lua expression inside the running editor. */
  lua(expression) {
    return this.connection.lua(expression);
  }

  ghost() {
    return this.lua('GhostText()');
  }

  ghostIs(wanted, patienceMs) {
    return until(`the ghost text ${JSON.stringify(wanted)}`, async () => (await this.ghost()) === wanted, patienceMs).catch(async error => {
      throw new Error(`${error.message}; there was ${JSON.stringify(await this.ghost())}`);
    });
  }

  async command(line) {
    this.terminal.send('\u001b');
    await sleep(150); // an Escape with a key close behind it would be Alt and that key
    await until('normal mode', async () => (await this.lua('vim.api.nvim_get_mode().mode')) === 'n');
    await this.terminal.type(`:${line}\r`, 5);
  }

  /** Open a file and stand in insert mode at its end. */
  async edit(file) {
    await this.command(`edit ${file}`);
    await until(`${file} to be open`, async () => (await this.lua('vim.fn.expand("%:t")')) === path.basename(file));
    this.openedAt = Date.now();
    this.terminal.send('GA');
    await until('insert mode', async () => (await this.lua('vim.api.nvim_get_mode().mode')) === 'i');
  }

  /** Press a key that changes the line, and wait for the line to be so. */
  async press(key, wantedLine) {
    this.terminal.send(key);
    await until(`the line ${JSON.stringify(wantedLine)}`, async () => (await this.lua('vim.api.nvim_get_current_line()')) === wantedLine).catch(async error => {
      throw new Error(`${error.message}; it is ${JSON.stringify(await this.lua('vim.api.nvim_get_current_line()'))}`);
    });
  }

  async save(file, wanted) {
    await this.command('write');
    const target = path.join(this.lab.root, file);
    await until(`${file} to be saved as ${JSON.stringify(wanted)}`, () => fs.readFileSync(target, 'utf8') === wanted, 5000).catch(error => {
      throw new Error(`${error.message}; it holds ${JSON.stringify(fs.readFileSync(target, 'utf8'))}`);
    });
  }

  messages() {
    return this.lua('vim.fn.execute("messages")');
  }

  shot(name) {
    return this.terminal.shot(name);
  }

  async quit() {
    await this.command('qall!');
    await this.terminal.ended;
    this.connection.close();
  }
}
