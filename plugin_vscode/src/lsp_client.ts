/** One LSP connection to one server process: how it is started, what it is told, where its log goes. */

import os from 'node:os';
import type * as vscode from 'vscode';
import { CloseAction, ErrorAction, LanguageClient, type Middleware } from 'vscode-languageclient/node';

/** What the server says about itself, by the notification `glm/status`. */
export interface ServerStatus {
  readonly state: string;
  readonly model?: string | null;
  readonly message?: string | null;
}

/** A piece of long work, by the notification `glm/delta`. */
export interface Delta {
  readonly token: string;
  readonly text?: string;
  readonly step?: number;
  readonly steps?: number;
  readonly message?: string;
  /** The picture so far, a data URI. */
  readonly preview?: string;
}

export interface Listener {
  readonly died: () => void;
  readonly said: (status: ServerStatus) => void;
  readonly delta: (delta: Delta) => void;
}

/** The library's client shows its errors in pop-ups; ours go to the log, `notices.ts` tells the user. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

/** `token`: of a team's daemon, told by the environment, where no other user sees it. */
export function newClient(file: string, token: string | undefined, log: vscode.LogOutputChannel, middleware: Middleware, listener: Listener): LanguageClient {
  const client = new QuietClient(
    // Not `glm`: the client would read `glm.trace.server` as its own and log what is typed.
    'glm-lsp',
    'GLM',
    // Not in the workspace's folder: a Python started there could import the workspace's modules.
    { command: file, args: ['--stdio'], options: { cwd: os.homedir(), env: token === undefined ? process.env : { ...process.env, GLM_LSP_TOKEN: token } } },
    {
      documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-notebook-cell' }],
      outputChannel: log,
      middleware,
      markdown: { isTrusted: false, supportHtml: false },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          listener.died();
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      stdioOptions: { stdout: () => undefined, stderr: forwardLines },
    },
  );
  client.onNotification('glm/status', listener.said);
  client.onNotification('glm/delta', listener.delta);
  return client;
}

/** The server's log on stderr, line by line, without its own time stamps. */
function forwardLines(stream: NodeJS.ReadableStream, log: vscode.LogOutputChannel): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = (lines.pop() ?? '').slice(-8192);
    for (const line of lines) if (line.trim() !== '') log.info(line.replace(/^\d{4}-\d\d-\d\d [\d:,.]+ /, '').trimEnd());
  });
}
