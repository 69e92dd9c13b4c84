// What must hold in real Neovim: the same list as for VS Code, and what is Neovim's own.
import fs from 'node:fs';
import path from 'node:path';
import { contextHash, equal, Lab, REPOSITORY, sleep, tryKill, until, within } from './lab.mjs';
import { Neovim } from './neovim.mjs';

const FUNCTION = 'def add(a, b):\n    ';
const RECOVERY_MS = 5000; // after a kill
const LOAD_MS = 2000; // the fake model's: a Python process starts, on a busy machine

/** What the fake model says where the line ends with "return ". Neovim's files end with a line end. */
function value(file, prefix) {
  return `fake_value_${contextHash({ path: file, language: 'python', prefix, suffix: '\n' })}`;
}

export async function runNeovim(out, editors, program) {
  const lab = new Lab('nvim', out);
  const nvim = new Neovim(lab, editors, program);
  const { terminal } = nvim;
  const scenario = (name, run) => lab.scenario(name, run, shot => nvim.shot(`failed-${shot}`));
  const prefix = `${FUNCTION}return `;
  try {
    lab.folder('project', '.git');
    for (const file of ['first.py', 'through.py', 'race.py', 'pieces.py', 'killed.py', 'server.py', 'switch.py']) lab.write(`project/${file}`, `${FUNCTION}\n`);
    lab.write('project/unicode.py', 'def greet():\n    s = "\n');
    lab.write('project/documented.py', 'def add(a, b):\n    return a + b\n');
    lab.write('project/drawn.md', '# Drawn\n\n');
    fs.copyFileSync(path.join(REPOSITORY, 'plugin_vscode', 'media', 'icon.png'), path.join(lab.root, 'project', 'shot.png'));
    lab.installServer();
    await terminal.open();

    await scenario('starts, and costs the start little', async figures => {
      await nvim.start(lab.folder('project'));
      await until('the command :GLM', async () => (await nvim.lua('vim.fn.exists(":GLM")')) === 2);
      figures.entry_ms = await entryMs(nvim, lab);
      within('entry in ms', figures.entry_ms, 20);
    });

    await scenario('ghost text appears while typing, from nothing', async figures => {
      await nvim.edit('first.py');
      await terminal.type('return ');
      await nvim.ghostIs(value('first.py', prefix), 15_000);
      figures.first_ghost_ms = Date.now() - nvim.openedAt;
      within('first ghost text in ms', figures.first_ghost_ms, 6000);
      await until('the model in the status line', async () => (await nvim.lua('require("glm_lsp").statusline()')) === 'GLM: ready');
      await nvim.shot('ghost-text');
    });

    await scenario('Tab takes it and the saved file is right', async () => {
      await nvim.press('\t', `    return ${value('first.py', prefix)}`);
      await nvim.save('project/first.py', `${prefix}${value('first.py', prefix)}\n`);
      await nvim.shot('accepted');
    });

    await scenario('typing through makes no model call', async figures => {
      await nvim.edit('through.py');
      await terminal.type('return ');
      const whole = value('through.py', prefix);
      await nvim.ghostIs(whole);
      figures.ghost_with_daemon_ms = Date.now() - nvim.openedAt;
      within('ghost text with a running daemon in ms', figures.ghost_with_daemon_ms, 1500);
      const calls = lab.modelCalls();
      for (let typed = 1; typed <= 9; typed++) {
        await terminal.type(whole[typed - 1]);
        await nvim.ghostIs(whole.slice(typed));
        await sleep(250); // Neovim asks 200 ms after the key
      }
      equal('model calls while typing through', lab.modelCalls() - calls, 0);
      await nvim.shot('typed-through');
      await nvim.press('\t', `    return ${whole}`);
      await nvim.save('project/through.py', `${prefix}${whole}\n`);
    });

    await scenario('Tab right behind a key takes nothing twice', async () => {
      await nvim.edit('race.py');
      await terminal.type('return ');
      const whole = value('race.py', prefix);
      await nvim.ghostIs(whole);
      // In one burst: the suggestion on screen is older than the text.
      await nvim.press('fak\t', `    return ${whole}`);
      await nvim.save('project/race.py', `${prefix}${whole}\n`);
    });

    await scenario('word by word, line by line, away', async () => {
      await nvim.edit('pieces.py');
      await terminal.type('return ');
      const whole = value('pieces.py', prefix);
      await nvim.ghostIs(whole);
      terminal.send('\u0005'); // Ctrl-E: away
      await nvim.ghostIs('');
      await again(nvim, value('pieces.py', prefix));
      await nvim.press('\u0006', `    return ${whole}`); // Ctrl-F: a word, here all of it
      await nvim.save('project/pieces.py', `${prefix}${whole}\n`);
      await nvim.command('normal! ggO');
      terminal.send('i');
      await terminal.type('x = f(1, ');
      const ghost = await until('some ghost text', () => nvim.ghost());
      if (!/^fake_argument_[0-9a-f]{8}\)/.test(ghost)) throw new Error(`unexpected ghost text ${ghost}`);
      terminal.send('\u0006');
      await until('a word', async () => /^x = f\(1, fake_argument_[0-9a-f]{8}$/.test(await nvim.lua('vim.api.nvim_get_current_line()')));
      await nvim.ghostIs(')');
      terminal.send('\u000c'); // Ctrl-L: the rest of the line
      await until('the line', async () => /^x = f\(1, fake_argument_[0-9a-f]{8}\)$/.test(await nvim.lua('vim.api.nvim_get_current_line()')));
    });

    await scenario('positions are right behind emoji and CJK', async () => {
      await nvim.command('write');
      await nvim.edit('unicode.py');
      await terminal.type('😀漢字 名前🎉"; return ');
      const unicode = 'def greet():\n    s = "😀漢字 名前🎉"; return ';
      await nvim.ghostIs(value('unicode.py', unicode));
      await nvim.shot('emoji-and-cjk');
      await nvim.press('\t', `${unicode}${value('unicode.py', unicode)}`.split('\n')[1]);
      await nvim.save('project/unicode.py', `${unicode}${value('unicode.py', unicode)}\n`);
    });

    await scenario('a daemon killed in mid-typing is back', async figures => {
      await nvim.edit('killed.py');
      await terminal.type('retu');
      const before = await until('the daemon', () => lab.daemonPid());
      tryKill(before, 'SIGKILL');
      const began = Date.now();
      await terminal.type('rn ');
      await again(nvim, value('killed.py', prefix));
      figures.back_after_ms = Date.now() - began;
      within('ms until ghost text is back', figures.back_after_ms, RECOVERY_MS + LOAD_MS);
      if ((await lab.daemonPid()) === before) throw new Error('the daemon was not killed');
      await nvim.shot('daemon-back');
    });

    await scenario('a language server killed five times is back each time', async figures => {
      await nvim.command('messages clear');
      await nvim.edit('server.py');
      await terminal.type('return ');
      figures.back_after_ms = [];
      for (let kill = 0; kill < 5; kill++) {
        const [pid] = lab.processes('--stdio');
        tryKill(pid, 'SIGKILL');
        const began = Date.now();
        await until('a new language server', () => lab.processes('--stdio').some(other => other !== pid), RECOVERY_MS);
        await again(nvim, value('server.py', prefix));
        figures.back_after_ms.push(Date.now() - began);
      }
      within('ms until ghost text is back', Math.max(...figures.back_after_ms), RECOVERY_MS);
      equal('messages', (await nvim.messages()).trim(), '');
    });

    await scenario('off, off for a file type, and snoozed mean silence', async () => {
      await nvim.edit('switch.py');
      await terminal.type('return ');
      await nvim.ghostIs(value('switch.py', prefix));
      const silent = async () => {
        terminal.send('a');
        const calls = lab.modelCalls();
        await terminal.type('\u007f ');
        await sleep(600);
        equal('ghost text', await nvim.ghost(), '');
        equal('model calls', lab.modelCalls() - calls, 0);
      };
      for (const [off, on] of [['GLM toggle', 'GLM toggle'], ['GLM toggle filetype', 'GLM toggle filetype'], ['GLM toggle buffer', 'GLM toggle buffer'], ['GLM snooze 15', 'GLM resume']]) {
        await nvim.command(off);
        await silent();
        if (off === 'GLM snooze 15') await nvim.shot('snoozed');
        await nvim.command(on);
      }
      terminal.send('a');
      await again(nvim, value('switch.py', prefix));
    });

    /** The text of all windows of the current tab. */
    const windows = async () => nvim.lua("table.concat(vim.tbl_map(function(w) return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(w), 0, -1, false), '\\n') end, vim.api.nvim_tabpage_list_wins(0)), '\\n')");

    await scenario('a question is answered, about code and about a picture', async () => {
      await nvim.command('edit first.py');
      await nvim.command('GLM ask What does this file do?');
      await until('the answer', async () => (await windows()).includes('fake_answer_'), 15_000);
      await nvim.command('only');
      await terminal.page.screenshot({ path: path.join(lab.root, 'project', 'shot.png') });
      await nvim.command('GLM image shot.png What is this?');
      await until('the answer about the picture', async () => (await windows()).includes('fake_sight_'), 15_000);
      await nvim.shot('image-question');
      await nvim.command('only');
    });

    await scenario('a picture is drawn into the workspace and linked', async () => {
      await nvim.command('edit drawn.md');
      await nvim.command('GLM draw a red circle');
      const folder = path.join(lab.root, 'project');
      const file = await until('a picture in the workspace', () => fs.readdirSync(folder).find(name => name.endsWith('.png') && name !== 'shot.png'), 15_000);
      await until('its link', async () => (await windows()).includes(`](${file})`));
      await nvim.command('write');
      await nvim.shot('drawn');
    });

    await scenario('a file is translated beside its source', async () => {
      await nvim.command('edit through.py');
      await nvim.command('GLM translate javascript');
      await until('the diff', async () => (await windows()).includes('fake_translation_') && (await nvim.lua('vim.wo.diff')), 20_000);
      await nvim.shot('translation');
      await nvim.command('write');
      await until('the new file', () => fs.existsSync(path.join(lab.root, 'project', 'through.js')));
      await nvim.command('tabclose');
    });

    await scenario('documentation is proposed as a diff and written when taken', async () => {
      await nvim.command('edit documented.py');
      await nvim.command('1GLM document');
      await until('the question', async () => (await nvim.lua('vim.api.nvim_list_tabpages()')).length === 2, 20_000);
      await sleep(300);
      await nvim.shot('documentation');
      await terminal.type('1\r');
      await until('the docstring', async () => (await windows()).includes('"""'));
      await nvim.command('write');
    });

    await scenario('why there was no suggestion is told', async () => {
      await nvim.edit('switch.py');
      await again(nvim, value('switch.py', prefix));
      await nvim.command('GLM why');
      await until('the account', async () => (await nvim.lua('vim.bo.filetype')) === 'json' && (await windows()).includes('"fake"'));
      await nvim.shot('why');
      await nvim.command('close');
    });

    await scenario('status, health and restart are at hand; the log holds no code', async () => {
      await nvim.command('GLM status');
      await until('the status', async () => (await nvim.messages()).includes('ready'));
      await nvim.shot('status');
      const [pid] = lab.processes('--stdio');
      await nvim.command('GLM restart');
      await until('another language server', () => lab.processes('--stdio').some(other => other !== pid));
      await until('it to be ready', async () => (await nvim.lua('require("glm_lsp").statusline()')) === 'GLM: ready');
      await nvim.command('checkhealth glm_lsp');
      const text = await until('the health page', async () => {
        const lines = await nvim.lua('vim.api.nvim_buf_get_lines(0, 0, -1, false)');
        return lines.join('\n').includes('glm-lsp') && lines.join('\n');
      });
      if (/ERROR/.test(text) || !/OK .*glm-lsp: glm-lsp /.test(text) || !/OK Server \d+ runs/.test(text)) throw new Error(text);
      await nvim.shot('health');
      const log = await nvim.lua('table.concat(vim.fn.readfile(vim.lsp.log.get_filename()), " ")');
      for (const secret of ['def add', 'fake_value_', '漢字']) if (log.includes(secret)) throw new Error(`the log holds code: ${secret}`);
      await nvim.quit();
    });

    await scenario('a hostile project changes nothing', async figures => {
      const canary = layTraps(lab);
      const hostile = lab.folder('hostile');
      process.env.PATH = `${hostile}/.venv/bin:.:${hostile}/node_modules/.bin:${process.env.PATH}`;
      await nvim.start(hostile);
      await nvim.edit('trap.py');
      await terminal.type('return ');
      await nvim.ghostIs(value('trap.py', prefix), 15_000);
      figures.programs_run = fs.existsSync(canary) ? fs.readFileSync(canary, 'utf8') : 'none';
      equal('programs of the project that ran', figures.programs_run, 'none');
      await nvim.quit();
    });
  } finally {
    await terminal.close();
    lab.finish('neovim.json');
    await lab.clean();
  }
  return lab.results;
}

/** The user goes on typing until the ghost text comes: the last blank is typed again and again. */
async function again(nvim, wanted, patienceMs = 15_000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    await nvim.terminal.type('\u007f ');
    try {
      return await nvim.ghostIs(wanted, 900);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

/** Milliseconds that plugin/glm_lsp.lua costs at start, by Neovim's own account. */
async function entryMs(nvim, lab) {
  const file = path.join(lab.root, 'startup.txt');
  const { execFileSync } = await import('node:child_process');
  execFileSync(nvim.program, ['--headless', '-u', path.join(lab.root, 'init.lua'), '--startuptime', file, '+qall'], { env: nvim.environment });
  const line = fs.readFileSync(file, 'utf8').split('\n').find(text => text.includes(path.join(REPOSITORY, 'plugin_nvim', 'plugin')));
  return Number(line?.trim().split(/\s+/)[1]);
}

/** A project that tries to choose the program, the settings or the Python modules. */
function layTraps(lab) {
  const canary = path.join(lab.root, 'canary.txt');
  for (const name of ['.venv/bin/glm-lsp', 'node_modules/.bin/glm-lsp', 'glm-lsp', 'python', 'python3']) {
    fs.chmodSync(lab.write(`hostile/${name}`, `#!/bin/sh\necho ${name} >> ${canary}\n`), 0o755);
  }
  const program = path.join(lab.root, 'hostile', 'glm-lsp');
  const lua = `vim.fn.writefile({ 'lua' }, '${canary}', 'a')\nvim.g.glm_lsp = { cmd = { '${program}' } }\n`;
  for (const name of ['.nvim.lua', '.nvimrc', '.exrc', 'lsp/glm_lsp.lua', 'lua/glm_lsp/init.lua', 'lua/glm_lsp/config.lua', 'plugin/evil.lua']) {
    lab.write(`hostile/${name}`, name.endsWith('lua') ? lua : `silent !echo ${name} >> ${canary}\n`);
  }
  for (const name of ['sitecustomize.py', 'usercustomize.py', 'glm_lsp/__init__.py', 'httpx.py']) {
    lab.write(`hostile/${name}`, `open(${JSON.stringify(canary)}, 'a').write(__name__)\n`);
  }
  lab.write('hostile/.glm-lsp.toml', '[daemon]\nurl = "http://127.0.0.1:9"\n');
  lab.write('hostile/trap.py', `${FUNCTION}\n`);
  return canary;
}
