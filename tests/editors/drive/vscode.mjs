// Drives real VS Code (code-server) in a browser, with the packed extension installed.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { openBrowser } from './chromium.mjs';
import { sleep, tryKill, until } from './lab.mjs';
import { shoot } from './screenshot.mjs';

const QUIET = {
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Dark Modern',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.minimap.enabled': false,
  'editor.fontFamily': "'DejaVu Sans Mono', 'WenQuanYi Micro Hei', 'Noto Color Emoji', monospace",
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'security.workspace.trust.startupPrompt': 'always',
  'security.workspace.trust.banner': 'always',
};

export class VsCode {
  /** `name`: of its folders; a lab may hold several. */
  constructor(lab, editors, name = 'vscode') {
    this.lab = lab;
    this.editors = editors;
    this.name = name;
    this.userData = lab.folder(name);
    this.extensions = lab.folder(`${name}-extensions`);
    this.entry = path.join(editors, 'node_modules', 'code-server', 'out', 'node', 'entry.js');
  }

  /** With the extension, or without where `vsix` is undefined. */
  async start(vsix, { user = {}, machine = {}, script = {} }) {
    this.lab.write(`${this.name}/User/settings.json`, JSON.stringify({ ...QUIET, ...user }, null, 2));
    // Settings of scope "machine" count only here when VS Code runs as a server.
    this.lab.write(`${this.name}/Machine/settings.json`, JSON.stringify(machine, null, 2));
    this.port = await freePort();
    const config = this.lab.write(`${this.name}.yaml`, `bind-addr: 127.0.0.1:${this.port}\nauth: none\ncert: false\n`);
    const folders = ['--config', config, '--user-data-dir', this.userData, '--extensions-dir', this.extensions];
    const env = { ...this.lab.environment(script), CODE_SERVER_SESSION_SOCKET: path.join(this.lab.root, `${this.name}.sock`) };
    if (vsix !== undefined) {
      const installed = spawnSync(process.execPath, [this.entry, ...folders, '--install-extension', vsix, '--force'], { env, encoding: 'utf8' });
      if (installed.status !== 0) throw new Error(`the .vsix did not install: ${installed.stdout}${installed.stderr}`);
    }
    const log = fs.openSync(path.join(this.lab.out, `code-server-${this.name}.log`), 'w');
    this.process = spawn(process.execPath, [this.entry, ...folders, '--disable-telemetry', '--disable-update-check', '--disable-getting-started-override'], { env, stdio: ['ignore', log, log], detached: true });
    await until('code-server', () => fetch(`${this.url()}/healthz`).then(answer => answer.ok, () => false), 30_000, 100);
    ({ context: this.browser, page: this.page } = await openBrowser(this.editors, this.lab.folder(`${this.name}-chromium`), { width: 1100, height: 640 }));
  }

  url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Open a folder; `trust` answers the question whether its authors are trusted. */
  async openFolder(folder, trust) {
    await this.page.goto(`${this.url()}/?folder=${encodeURIComponent(folder)}`, { waitUntil: 'domcontentloaded', timeout: 90_000 });
    await this.page.waitForSelector('.monaco-workbench');
    if (trust === undefined) return;
    const label = trust ? 'Yes, I trust the authors' : 'No, I don';
    await this.page.locator('.monaco-dialog-box .monaco-button', { hasText: label }).first().click();
    await this.page.locator('.monaco-dialog-box').waitFor({ state: 'detached' });
  }

  /** Wait until the status bar item looks like this (a codicon's name, or several). */
  async status(...icons) {
    const selector = icons.map(icon => `#glm-lsp\\.glm-lsp\\.glm\\.status .codicon-${icon}`).join(', ');
    await this.page.locator(selector).first().waitFor({ state: 'attached' });
  }

  async statusLabel() {
    return (await this.page.locator('#glm-lsp\\.glm-lsp\\.glm\\.status a, #glm-lsp\\.glm-lsp\\.glm\\.status').first().getAttribute('aria-label')) ?? '';
  }

  async openFile(name) {
    const tab = this.page.locator('.tab.active', { hasText: path.basename(name) });
    await until(`${name} to be open`, async () => {
      await this.press('Control+p');
      await this.page.waitForSelector('.quick-input-widget input');
      await this.type(name, 0);
      const row = this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: name });
      const found = await row.first().waitFor({ timeout: 3000 }).then(() => true, () => false);
      await this.press(found ? 'Enter' : 'Escape');
      this.openedAt = Date.now();
      return found && tab.waitFor({ timeout: 3000 }).then(() => true, () => false);
    }, 20_000);
    await this.page.locator('.editor-instance .view-lines').first().waitFor();
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  }

  async type(text, delay = 30) {
    await this.page.keyboard.type(text, { delay });
  }

  press(key) {
    return this.page.keyboard.press(key);
  }

  /** The grey text on screen; its tokens and lines are joined without anything between. */
  async ghost() {
    const parts = await this.page
      .locator('.ghost-text-decoration, .ghost-text-decoration-preview, .suggest-preview-text .ghost-text, .suggest-preview-text .view-line')
      .allTextContents();
    return parts.join('').replaceAll('\u00a0', ' ').replaceAll('\u00b7', ' ');
  }

  ghostIs(wanted, patienceMs) {
    return until(`the ghost text ${JSON.stringify(wanted)}`, async () => (await this.ghost()) === wanted, patienceMs).catch(async error => {
      throw new Error(`${error.message}; there was ${JSON.stringify(await this.ghost())}`);
    });
  }

  ghostSome(patienceMs) {
    return until('some ghost text', () => this.ghost(), patienceMs);
  }

  /** Type `text` and tell for each key the milliseconds until the editor's text changed on screen. */
  async keyLatencies(text, delay) {
    await this.page.evaluate(() => {
      let pressedAt;
      const measured = (globalThis.keyLatencies = []);
      const onKey = () => (pressedAt = performance.now());
      const observer = new MutationObserver(() => {
        if (pressedAt !== undefined) measured.push(performance.now() - pressedAt);
        pressedAt = undefined; // the ghost text that comes later is no answer to the key
      });
      observer.observe(document.querySelector('.editor-instance .view-lines'), { subtree: true, childList: true, characterData: true });
      document.addEventListener('keydown', onKey, true);
      globalThis.stopMeasuring = () => {
        observer.disconnect();
        document.removeEventListener('keydown', onKey, true);
      };
    });
    await this.type(text, delay);
    await sleep(200);
    return this.page.evaluate(() => (globalThis.stopMeasuring(), globalThis.keyLatencies));
  }

  async save(file, wanted) {
    await this.press('Control+s');
    const target = path.join(this.lab.root, file);
    await until(`${file} to be saved as ${JSON.stringify(wanted)}`, () => fs.readFileSync(target, 'utf8') === wanted, 5000).catch(error => {
      throw new Error(`${error.message}; it holds ${JSON.stringify(fs.readFileSync(target, 'utf8'))}`);
    });
  }

  async command(title) {
    await this.press('F1');
    await this.page.waitForSelector('.quick-input-widget input');
    await this.type(title, 0);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: title.replace(/^GLM: /, '') }).first().waitFor();
    await this.press('Enter');
  }

  /** The panel's page, which VS Code puts into frames within frames. */
  async panel(patienceMs = 20_000) {
    return until('the panel', async () => {
      for (const frame of this.page.frames()) {
        if ((await frame.locator('#turns').count().catch(() => 0)) > 0) return frame;
      }
      return undefined;
    }, patienceMs, 100);
  }

  /** Choose an entry of the open list. */
  async pick(text) {
    const row = this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
    await row.waitFor();
    await row.click();
  }

  /** Press a button of a notification. */
  async answer(text) {
    const button = this.page.locator('.notifications-toasts .monaco-button', { hasText: text }).first();
    await button.waitFor({ timeout: 15_000 });
    await button.click();
  }

  /** Take the last character away and type it again: a new request, as from a user who goes on. */
  async nudge(character) {
    await this.press('Backspace');
    await sleep(150); // long enough for VS Code to ask in between: a repeated question gets the old answer
    await this.type(character);
  }

  notices() {
    return this.page.locator('.notifications-toasts .notification-list-item-message').allTextContents();
  }

  shot(name) {
    return shoot(this.page, path.join(this.lab.out, `vscode-${name}.png`), 'VS Code');
  }

  /** What the extension wrote into its log channel, over all windows of this run. */
  log() {
    const logs = path.join(this.userData, 'logs');
    if (!fs.existsSync(logs)) return '';
    return fs.readdirSync(logs, { recursive: true }).map(String).filter(file => file.includes('glm-lsp.glm-lsp') && file.endsWith('.log'))
      .map(file => fs.readFileSync(path.join(logs, file), 'utf8')).join('');
  }

  async stop() {
    await this.browser?.close().catch(() => undefined);
    if (this.process !== undefined) tryKill(-this.process.pid, 'SIGTERM');
    await sleep(300);
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
    probe.on('error', reject);
  });
}
