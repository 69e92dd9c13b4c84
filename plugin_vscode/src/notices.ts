/** The few messages that pop up: once each in a window's life, and only for what the user must do. */

import * as vscode from 'vscode';
import { explainProblem, type LanguageServer, type ServerState } from './language_server.ts';

const INSTALL_PAGE = vscode.Uri.parse('https://github.com/glm-lsp/glm-lsp/blob/main/docs/editors/vscode.md');

export function showNotices(server: LanguageServer): vscode.Disposable {
  const told = new Set<ServerState['kind']>();
  return server.onDidChangeState(state => {
    if ((state.kind !== 'unusable' && state.kind !== 'gaveUp') || told.has(state.kind)) return;
    told.add(state.kind);
    void (state.kind === 'unusable' ? tellUnusable(explainProblem(state.problem)) : tellGaveUp(server));
  });
}

async function tellUnusable(sentence: string): Promise<void> {
  const install = vscode.l10n.t('How to Install');
  const path = vscode.l10n.t('Set the Path');
  const choice = await vscode.window.showWarningMessage(sentence, install, path);
  if (choice === install) await vscode.env.openExternal(INSTALL_PAGE);
  if (choice === path) await vscode.commands.executeCommand('workbench.action.openSettings', 'glm.server.path');
}

async function tellGaveUp(server: LanguageServer): Promise<void> {
  const restart = vscode.l10n.t('Restart');
  const logs = vscode.l10n.t('Show Logs');
  const sentence = vscode.l10n.t('GLM: the language server ended again and again, so it is not started any more.');
  const choice = await vscode.window.showWarningMessage(sentence, restart, logs);
  if (choice === restart) await server.restart();
  if (choice === logs) await vscode.commands.executeCommand('glm.showLogs');
}
