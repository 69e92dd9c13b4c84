/**
 * The one language server of this window: started, stopped, restarted, one after another.
 *
 * Invariant: at most one server process lives. Every change of state goes through one queue, so a
 * restart asked for during a start waits for it. A server that dies is replaced by `CrashPolicy`'s
 * rule, silently; the user is told once, when it is given up.
 * Not here: the status bar, commands, anything about code.
 */

import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import * as vscode from 'vscode';
import type { WorkspaceEdit } from 'vscode-languageclient';
import type { LanguageClient, Middleware } from 'vscode-languageclient/node';
import { CrashPolicy } from './crash_policy.ts';
import { findServer, PROGRAM, type ServerCommand } from './server_command.ts';
import type { Delta, ServerStatus } from './lsp_client.ts';

export type { Delta } from './lsp_client.ts';

/** What the window knows about the server: its own words, or that there is none. */
export type ServerState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly status: ServerStatus }
  | { readonly kind: 'unusable'; readonly problem: ServerCommand }
  | { readonly kind: 'gaveUp' };

export class LanguageServer implements vscode.Disposable {
  readonly #log: vscode.LogOutputChannel;
  readonly #middleware: Middleware;
  readonly #token: () => Promise<string | undefined>;
  readonly #changed = new vscode.EventEmitter<ServerState>();
  readonly #crashes = new CrashPolicy();
  readonly #deltas = new Map<string, (delta: Delta) => void>();
  #client: LanguageClient | undefined;
  #state: ServerState = { kind: 'stopped' };
  #queue: Promise<void> = Promise.resolve();
  #nextStart: NodeJS.Timeout | undefined;
  #ended = false;
  #program: string | undefined;

  readonly onDidChangeState = this.#changed.event;

  /** `token`: of a team's daemon, asked for at each start. */
  constructor(log: vscode.LogOutputChannel, middleware: Middleware, token: () => Promise<string | undefined>) {
    this.#log = log;
    this.#middleware = middleware;
    this.#token = token;
  }

  get state(): ServerState {
    return this.#state;
  }

  /** The program that was last started. */
  get program(): string | undefined {
    return this.#program;
  }

  /** The user's wish, or a changed setting: old crashes no longer count. */
  restart(): Promise<void> {
    this.#crashes.forget();
    return this.#inTurn(async () => {
      await this.#stop();
      await this.#start();
    });
  }

  start(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  /** Run a server command. Rejects when no server runs. */
  async execute(command: string): Promise<unknown> {
    await this.#queue;
    if (this.#client === undefined) throw new Error(vscode.l10n.t('The language server is not running.'));
    return this.#client.sendRequest('workspace/executeCommand', { command, arguments: [] });
  }

  /** Send one request. Rejects when no server runs, or with the server's own sentence. */
  async request<T>(method: string, params: object, cancel?: vscode.CancellationToken): Promise<T> {
    await this.#queue;
    if (this.#client === undefined) throw new Error(vscode.l10n.t('The language server is not running.'));
    // An argument of undefined would count as a second parameter.
    return cancel === undefined ? this.#client.sendRequest<T>(method, params) : this.#client.sendRequest<T>(method, params, cancel);
  }

  /** A request whose pieces come while it runs; `cancel` stops it at the server too. */
  async longWork<T>(method: string, params: object, onDelta: (delta: Delta) => void, cancel: vscode.CancellationToken): Promise<T> {
    const token = crypto.randomUUID();
    this.#deltas.set(token, onDelta);
    try {
      return await this.request<T>(method, { ...params, token }, cancel);
    } finally {
      this.#deltas.delete(token);
    }
  }

  /** A workspace edit of LSP as VS Code's. */
  async asEdit(edit: unknown): Promise<vscode.WorkspaceEdit> {
    if (this.#client === undefined) throw new Error(vscode.l10n.t('The language server is not running.'));
    return this.#client.protocol2CodeConverter.asWorkspaceEdit(edit as WorkspaceEdit);
  }

  async apply(edit: unknown): Promise<boolean> {
    const done = await vscode.workspace.applyEdit(await this.asEdit(edit));
    if (!done) void vscode.window.showWarningMessage(vscode.l10n.t('The file has changed meanwhile; nothing was written.'));
    return done;
  }

  async stop(): Promise<void> {
    this.#ended = true;
    await this.#inTurn(() => this.#stop());
  }

  dispose(): void {
    void this.stop();
    this.#changed.dispose();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work).catch((error: unknown) => this.#log.error(String(error)));
    this.#queue = done;
    return done;
  }

  #enter(state: ServerState): void {
    this.#state = state;
    this.#changed.fire(state);
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#nextStart);
    const client = this.#client;
    this.#client = undefined;
    await client?.dispose(2000).catch((error: unknown) => this.#log.warn(String(error)));
    if (!this.#ended) this.#enter({ kind: 'stopped' });
  }

  async #start(): Promise<void> {
    if (this.#client !== undefined || this.#ended) return;
    const command = findServerOfWindow();
    if (command.kind !== 'found') {
      this.#log.error(`no language server: ${JSON.stringify(command)}`);
      this.#enter({ kind: 'unusable', problem: command });
      return;
    }
    this.#program = command.file;
    this.#enter({ kind: 'starting' });
    const began = Date.now();
    // Loaded when needed: the protocol library is nine tenths of the bundle, and activation waits for none of it.
    const { newClient } = await import('./lsp_client.ts');
    const client = newClient(command.file, await this.#token(), this.#log, this.#middleware, {
      died: () => this.#died(client, Date.now() - began),
      said: status => {
        if (this.#client === client) this.#enter({ kind: 'running', status });
      },
      delta: delta => this.#deltas.get(delta.token)?.(delta),
    });
    this.#client = client;
    try {
      await client.start();
      this.#log.info(`${command.file} started in ${Date.now() - began} ms`);
      // Its first `glm/status` may have come during the start.
      if (this.#client === client && this.#state.kind === 'starting') {
        this.#enter({ kind: 'running', status: { state: 'starting' } });
      }
    } catch (error) {
      this.#log.error(`${command.file} did not start: ${String(error)}`);
      this.#died(client, Date.now() - began);
    }
  }

  /** Called at the first sign of a death; later signs of the same client change nothing. */
  #died(client: LanguageClient, livedMs: number): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    const waitMs = this.#crashes.afterDeath(livedMs);
    this.#log.warn(`the language server ended after ${livedMs} ms; ${waitMs === undefined ? 'given up' : `next start in ${waitMs} ms`}`);
    void this.#inTurn(() => client.dispose(500).catch(() => undefined));
    if (this.#ended) return;
    if (waitMs === undefined) {
      this.#enter({ kind: 'gaveUp' });
    } else {
      this.#enter({ kind: 'starting' });
      this.#nextStart = setTimeout(() => void this.start(), waitMs);
    }
  }
}

function findServerOfWindow(): ServerCommand {
  // `inspect` instead of `get`: only what the user chose for this machine counts, whatever VS Code merged.
  const setting = vscode.workspace.getConfiguration('glm').inspect<string>('server.path');
  const folders = (vscode.workspace.workspaceFolders ?? []).map(folder => folder.uri.fsPath);
  return findServer({
    setting: setting?.globalValue ?? '',
    searchPath: process.env['PATH'] ?? '',
    home: os.homedir(),
    workspaceFolders: [...folders, ...folders.map(folder => realPath(folder) ?? folder)],
    executable: file => {
      try {
        fs.accessSync(file, fs.constants.X_OK);
        return fs.statSync(file).isFile() ? realPath(file) : undefined;
      } catch {
        return undefined;
      }
    },
  });
}

function realPath(file: string): string | undefined {
  try {
    return fs.realpathSync(file);
  } catch {
    return undefined;
  }
}

/** A sentence for the user about a server that cannot be used. */
export function explainProblem(problem: ServerCommand): string {
  switch (problem.kind) {
    case 'missing':
      return vscode.l10n.t('GLM needs the program "{0}", and it is not installed on this machine.', PROGRAM);
    case 'notExecutable':
      return vscode.l10n.t('"glm.server.path" names {0}, which is not a program.', problem.file);
    case 'relative':
      return vscode.l10n.t('"glm.server.path" must be an absolute path, not {0}.', problem.file);
    case 'found':
      return '';
  }
}
