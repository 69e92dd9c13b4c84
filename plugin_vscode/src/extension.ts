/** Activation: put the parts together, commands first, the server in the background. */

import * as vscode from 'vscode';
import { catchUp } from './catch_up.ts';
import { registerCommands } from './commands.ts';
import { Documents } from './documents.ts';
import { Drawing, type DrawParams } from './drawing.ts';
import { Images, type AskParams } from './images.ts';
import { LanguageServer } from './language_server.ts';
import { middleware } from './middleware.ts';
import { showNotices } from './notices.ts';
import { Panel } from './panel.ts';
import { StatusItem } from './status_item.ts';
import { Switches } from './switches.ts';
import { Tasks, type ChatParams } from './tasks.ts';
import { TeamToken } from './team_token.ts';
import { Translation } from './translation.ts';
import { tell } from './work.ts';

let server: LanguageServer | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const log = vscode.window.createOutputChannel('GLM', { log: true });
  const documents = new Documents();
  const switches = new Switches();
  const token = new TeamToken(context.secrets, log);
  const here = (server = new LanguageServer(log, middleware(switches, log, (request, params) => perform(request, params)), () => token.get()));
  const status = new StatusItem(here, switches);
  const panel = new Panel(here, documents, context.extensionUri);
  const translation = new Translation(here, documents);
  const tasks = new Tasks(here, documents, panel);
  const images = new Images(here, panel);
  const drawing = new Drawing(here, context.globalStorageUri);

  /** A code action of the server, shown our way. */
  function perform(request: string, params: object): boolean {
    const table: Record<string, () => Promise<void>> = {
      'glm/translate': () => translation.perform(params as Parameters<Translation['perform']>[0]),
      'glm/chat': () => tasks.perform(params as ChatParams),
      'glm/askImage': () => images.perform(params as AskParams),
      'glm/drawImage': () => drawing.perform(params as DrawParams),
    };
    const run = table[request];
    if (run === undefined) return false;
    run().catch(tell);
    return true;
  }

  context.subscriptions.push(
    log,
    documents,
    switches,
    here,
    status,
    panel,
    registerCommands({ documents, drawing, images, log, panel, server: here, status, switches, tasks, token, translation }),
    showNotices(here),
    catchUp(here, switches),
    vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('glm.server')) void here.restart();
    }),
  );
  void here.start();
  log.info(`activated in ${(performance.now() - began).toFixed(1)} ms`);
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
