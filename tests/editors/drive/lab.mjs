// What both editors' tests share: a private home for daemon and editor, the fake model's journal,
// scenarios with results. Not here: anything about one editor.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

const LONGEST_MS = 90_000; // for one scenario

/** Poll until `probe` gives something truthy; throws with `what` after `patienceMs`. */
export async function until(what, probe, patienceMs = 10_000, everyMs = 25) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${patienceMs} ms for ${what}`);
    await sleep(everyMs);
  }
}

export function equal(what, found, wanted) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`${what}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
  }
}

export function within(what, found, most) {
  if (!(found <= most)) throw new Error(`${what}: ${found}, at most ${most} allowed`);
}

/** A folder tree of its own for one editor under test: nobody's daemon, settings or history is met. */
export class Lab {
  /** The one of this process: what has to be cleaned when it is given up. */
  static current;

  constructor(name, outFolder) {
    Lab.current = this;
    this.out = outFolder;
    fs.mkdirSync(outFolder, { recursive: true });
    // Short: a unix socket's path holds about 100 bytes.
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), `glm-${name}-`));
    this.journalFile = path.join(this.root, 'journal.jsonl');
    this.server = process.env.GLM_LSP_COMMAND ?? path.join(REPOSITORY, '.venv', 'bin', 'glm-lsp');
    this.results = [];
  }

  /** Puts the program where a user's installer would: ~/.local/bin of the lab. */
  installServer() {
    fs.symlinkSync(this.server, path.join(this.folder('home', '.local', 'bin'), 'glm-lsp'));
  }

  folder(...parts) {
    const folder = path.join(this.root, ...parts);
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  write(file, text) {
    const target = path.join(this.root, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
    return target;
  }

  read(file) {
    return fs.readFileSync(path.join(this.root, file), 'utf8');
  }

  /** Environment of the editor, and by inheritance of server and daemon. */
  environment(script = {}) {
    return {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      TERM: 'xterm-256color',
      COLORTERM: 'truecolor',
      HOME: this.folder('home'),
      XDG_CONFIG_HOME: this.folder('home', 'config'),
      XDG_DATA_HOME: this.folder('home', 'data'),
      XDG_STATE_HOME: this.folder('home', 'state'),
      XDG_CACHE_HOME: this.folder('home', 'cache'),
      XDG_RUNTIME_DIR: this.folder('x'),
      GLM_LSP_HOME: this.folder('h'),
      GLM_LSP_RUNTIME: this.folder('r'),
      GLM_FAKE_SCRIPT: JSON.stringify({ journal: this.journalFile, ...script }),
    };
  }

  /** How many prompts the model was given so far. */
  modelCalls() {
    return this.#journal().filter(line => line.op === 'submit').length;
  }

  #journal() {
    try {
      return fs.readFileSync(this.journalFile, 'utf8').trim().split('\n').filter(Boolean).map(line => JSON.parse(line));
    } catch {
      return [];
    }
  }

  /** `GET route` on the daemon's socket; undefined when nobody answers. */
  daemon(route) {
    const socketPath = path.join(this.root, 'r', 'daemon.sock');
    return new Promise(resolve => {
      const request = http.get({ socketPath, path: route, headers: { host: 'localhost' }, timeout: 1000 }, answer => {
        let text = '';
        answer.on('data', piece => (text += piece));
        answer.on('end', () => resolve(answer.statusCode === 200 ? JSON.parse(text) : undefined));
      });
      request.on('error', () => resolve(undefined));
      request.on('timeout', () => request.destroy());
    });
  }

  async daemonPid() {
    return (await this.daemon('/health'))?.pid;
  }

  /** Processes that carry this lab's environment and whose command line holds `words`. */
  processes(words) {
    const mark = `GLM_LSP_RUNTIME=${path.join(this.root, 'r')}\0`;
    return fs.readdirSync('/proc').filter(entry => /^\d+$/.test(entry)).map(Number).filter(pid => {
      try {
        return (
          this.environmentOf(pid).includes(mark) &&
          fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(words)
        );
      } catch {
        return false;
      }
    });
  }

  /** The environment of a process, entries ended by NUL; empty when it is gone. */
  environmentOf(pid) {
    try {
      return fs.readFileSync(`/proc/${pid}/environ`, 'utf8');
    } catch {
      return '';
    }
  }

  /** Run one scenario; a failure is recorded and the next one still runs. */
  async scenario(name, run, onFailure) {
    if (process.env.GLM_ONLY !== undefined && !name.includes(process.env.GLM_ONLY)) return; // by hand, with run.mjs
    const began = Date.now();
    const figures = {};
    try {
      let timer;
      const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done after ${LONGEST_MS} ms`)), LONGEST_MS)));
      await Promise.race([run(figures), late]).finally(() => clearTimeout(timer));
      this.results.push({ name, ok: true, ms: Date.now() - began, figures });
    } catch (error) {
      this.results.push({ name, ok: false, ms: Date.now() - began, figures, error: String(error?.stack ?? error) });
      await onFailure?.(name.replaceAll(/\W+/g, '-')).catch?.(() => undefined);
    }
    const last = this.results.at(-1);
    const shown = Object.entries(figures).map(([key, value]) => `${key} ${value}`).join(', ');
    console.log(`${last.ok ? 'ok  ' : 'FAIL'} ${name} (${last.ms} ms)${shown === '' ? '' : `  ${shown}`}`);
    if (!last.ok) console.log(last.error.replaceAll(/^/gm, '     '));
  }

  finish(file) {
    fs.writeFileSync(path.join(this.out, file), `${JSON.stringify(this.results, null, 2)}\n`);
  }

  /** End every process of this lab, by the environment it carries, and remove its folders. */
  async clean() {
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      for (const pid of this.processes('')) if (pid !== process.pid) tryKill(pid, signal);
      if (signal === 'SIGTERM') await until('processes to end', () => this.processes('').length === 0, 4000).catch(() => undefined);
    }
    if (process.env.GLM_KEEP_LAB === undefined) fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
    else console.log(`kept: ${this.root}`);
  }
}

export function tryKill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // it ended by itself
  }
}

/** The name in the fake model's answers for a context: see glm_runtime/fake_engine.py. */
export function contextHash({ path: file, language, prefix, suffix }) {
  const hash = crypto.createHash('sha256');
  for (const text of [file, language, prefix, suffix]) hash.update(`${text}\0`);
  return hash.digest('hex').slice(0, 8);
}
