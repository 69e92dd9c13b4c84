// A real terminal for a terminal program: a pseudo-terminal, shown by xterm.js in the browser.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';
import { openBrowser } from './chromium.mjs';
import { sleep } from './lab.mjs';
import { shoot } from './screenshot.mjs';

const FONT = "'DejaVu Sans Mono', 'WenQuanYi Micro Hei', 'Noto Color Emoji', monospace";

export class Terminal {
  constructor(lab, editors) {
    this.lab = lab;
    this.editors = editors;
    // Both come with VS Code, whose terminal is made of them.
    this.modules = path.join(editors, 'node_modules', 'code-server', 'lib', 'vscode', 'node_modules');
  }

  async open(columns = 100, rows = 28) {
    ({ context: this.browser, page: this.page } = await openBrowser(this.editors, this.lab.folder('chromium'), { width: 940, height: 560 }));
    await this.page.setContent('<body style="margin:0;background:#14161b"><div id="screen" style="padding:8px"></div></body>');
    const xterm = path.join(this.modules, '@xterm');
    await this.page.addStyleTag({ path: path.join(xterm, 'xterm', 'css', 'xterm.css') });
    for (const file of ['xterm/lib/xterm.js', 'addon-unicode11/lib/addon-unicode11.js']) await this.page.addScriptTag({ content: fs.readFileSync(path.join(xterm, file), 'utf8') });
    await this.page.exposeFunction('toProgram', text => this.program?.write(text));
    await this.page.evaluate(
      ([cols, rows, fontFamily]) => {
        const term = new globalThis.Terminal({ cols, rows, fontFamily, fontSize: 15, allowProposedApi: true, theme: { background: '#14161b' } });
        term.loadAddon(new globalThis.Unicode11Addon.Unicode11Addon());
        term.unicode.activeVersion = '11';
        term.open(document.getElementById('screen'));
        term.onData(data => globalThis.toProgram(data)); // answers to the program's questions
        globalThis.term = term;
      },
      [columns, rows, FONT],
    );
    this.size = { cols: columns, rows };
  }

  start(program, args, cwd, env) {
    const pty = createRequire(path.join(this.modules, 'node-pty', 'package.json'))('.');
    this.program = pty.spawn(program, args, { ...this.size, cwd, env, name: 'xterm-256color' });
    this.ended = new Promise(resolve => this.program.onExit(resolve));
    this.program.onData(data => void this.page.evaluate(text => globalThis.term.write(text), data).catch(() => undefined));
  }

  /** Keys one by one, as fingers do. */
  async type(text, delay = 30) {
    for (const character of text) {
      this.program.write(character);
      await sleep(delay);
    }
  }

  /** Keys in one burst. */
  send(keys) {
    this.program.write(keys);
  }

  async shot(name, kind = 'Neovim') {
    await sleep(250); // the last bytes reach the screen
    await shoot(this.page, path.join(this.lab.out, `${kind.toLowerCase()}-${name}.png`), kind);
  }

  async close() {
    this.program?.kill('SIGKILL');
    await this.browser?.close().catch(() => undefined);
  }
}
