/**
 * Asks once more when the server becomes ready just after the user typed.
 *
 * VS Code asks for ghost text at a key, and only then. While the server or the daemon was starting,
 * that key got nothing; without this, a user who waits for the answer waits for ever.
 */

import * as vscode from 'vscode';
import type { LanguageServer } from './language_server.ts';
import type { Switches } from './switches.ts';

const STILL_WAITING_MS = 10_000;

export function catchUp(server: LanguageServer, switches: Switches): vscode.Disposable {
  let typedAt = 0;
  let wasReady = false;
  return vscode.Disposable.from(
    vscode.workspace.onDidChangeTextDocument(event => {
      if (event.document === vscode.window.activeTextEditor?.document && event.contentChanges.length > 0) typedAt = Date.now();
    }),
    server.onDidChangeState(state => {
      const ready = state.kind === 'running' && state.status.state === 'ready';
      const becameReady = ready && !wasReady;
      wasReady = ready;
      const document = vscode.window.activeTextEditor?.document;
      if (!becameReady || document === undefined || Date.now() - typedAt > STILL_WAITING_MS) return;
      if (switches.mayComplete(document)) void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    }),
  );
}
