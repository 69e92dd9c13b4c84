/** Activation: put the parts together, commands first, the server in the background. */

import * as vscode from 'vscode';
import { Account } from './account.ts';
import { catchUp } from './catch_up.ts';
import { registerCommands } from './commands.ts';
import { LanguageServer } from './language_server.ts';
import { middleware } from './middleware.ts';
import { showNotices } from './notices.ts';
import { StatusItem } from './status_item.ts';
import { Switches } from './switches.ts';

let server: LanguageServer | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const log = vscode.window.createOutputChannel('GLM', { log: true });
  const account = new Account();
  const switches = new Switches();
  server = new LanguageServer(log, middleware(switches, log));
  const status = new StatusItem(server, switches);
  context.subscriptions.push(
    log,
    account,
    switches,
    server,
    status,
    registerCommands({ account, log, server, status, switches }),
    showNotices(server),
    catchUp(server, switches),
    vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('glm.server')) void server?.restart();
    }),
  );
  void server.start();
  log.info(`activated in ${(performance.now() - began).toFixed(1)} ms`);
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
