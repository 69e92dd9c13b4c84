/** Activation: put the parts together, commands first, the server in the background. */

import * as vscode from 'vscode';
import { registerCommands } from './commands.ts';
import { ghostTextMiddleware } from './ghost_text.ts';
import { LanguageServer } from './language_server.ts';
import { showNotices } from './notices.ts';
import { StatusItem } from './status_item.ts';
import { Switches } from './switches.ts';

let server: LanguageServer | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const log = vscode.window.createOutputChannel('GLM', { log: true });
  const switches = new Switches();
  server = new LanguageServer(log, ghostTextMiddleware(switches, log));
  const status = new StatusItem(server, switches);
  context.subscriptions.push(
    log,
    switches,
    server,
    status,
    registerCommands({ log, server, status, switches }),
    showNotices(server),
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
