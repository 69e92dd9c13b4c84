/** The commands of the category GLM and the status item's menu. Each is a few lines; the server decides. */

import * as vscode from 'vscode';
import type { Documents } from './documents.ts';
import type { Drawing } from './drawing.ts';
import { finetuneWorkspace } from './finetuning.ts';
import type { Images } from './images.ts';
import type { LanguageServer } from './language_server.ts';
import { pickAdapter, pickModel } from './models.ts';
import type { Panel } from './panel.ts';
import type { StatusItem } from './status_item.ts';
import type { Switches } from './switches.ts';
import type { Tasks } from './tasks.ts';
import type { TeamToken } from './team_token.ts';
import type { Translation } from './translation.ts';
import { messageOf, tell } from './work.ts';

export interface Parts {
  readonly documents: Documents;
  readonly drawing: Drawing;
  readonly images: Images;
  readonly log: vscode.LogOutputChannel;
  readonly panel: Panel;
  readonly server: LanguageServer;
  readonly status: StatusItem;
  readonly switches: Switches;
  readonly tasks: Tasks;
  readonly token: TeamToken;
  readonly translation: Translation;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const { documents, drawing, images, log, panel, server, switches, tasks, token, translation } = parts;
  const table: Record<string, () => unknown> = {
    'glm.showMenu': () => showMenu(parts),
    'glm.toggle': () => switches.toggle(),
    'glm.toggleLanguage': () => toggleLanguage(switches),
    'glm.snooze': () => snooze(switches),
    'glm.resume': () => switches.resume(),
    'glm.openPanel': () => panel.focus(),
    'glm.translateFile': () => translation.run('file'),
    'glm.translateSelection': () => translation.run('selection'),
    'glm.explain': () => tasks.run('explain'),
    'glm.document': () => tasks.run('document'),
    'glm.comment': () => tasks.run('comment'),
    'glm.tests': () => tasks.run('tests'),
    'glm.fix': () => tasks.run('fix'),
    'glm.review': () => tasks.run('review'),
    'glm.askImage': () => images.run(),
    'glm.drawImage': () => drawing.run(),
    'glm.finetune': () => finetuneWorkspace(server, documents),
    'glm.pickModel': () => pickModel(server),
    'glm.pickAdapter': () => pickAdapter(server),
    'glm.whyNothing': () => whyNothing(parts),
    'glm.doctor': () => doctor(server),
    'glm.setToken': async () => ((await token.ask()) ? server.restart() : undefined),
    'glm.restartServer': () => server.restart(),
    'glm.restartDaemon': () => restartDaemon(server),
    'glm.showLogs': () => log.show(),
    'glm.showStatus': () => showStatus(parts),
  };
  return vscode.Disposable.from(
    ...Object.entries(table).map(([id, run]) => vscode.commands.registerCommand(id, () => guarded(run))),
  );
}

/** What a command could not do is said in one sentence. */
async function guarded(run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    tell(error);
    return undefined;
  }
}

/** The server's account of the last completion of the open file. */
async function whyNothing({ server, documents }: Parts): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri.toString();
  const report = await server.request<unknown>('glm/explainLast', uri === undefined ? {} : { textDocument: { uri } });
  await documents.showJson('GLM Last Suggestion.json', report);
}

/** `glm-lsp doctor` in a terminal, where its remedies can be followed. */
function doctor(server: LanguageServer): void {
  if (server.program === undefined) throw new Error(vscode.l10n.t('The language server is not running.'));
  const terminal = vscode.window.createTerminal({ name: 'GLM doctor', shellPath: server.program, shellArgs: ['doctor'] });
  terminal.show();
}

async function toggleLanguage(switches: Switches): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a file first: its language is the one to switch.'));
    return;
  }
  const before = switches.isEnabledFor(document);
  await switches.toggleLanguage(document.languageId);
  if (switches.isEnabledFor(document) || before) return;
  const open = vscode.l10n.t('Open Settings');
  const sentence = vscode.l10n.t('Ghost text for {0} stays off by other settings.', document.languageId);
  const choice = await vscode.window.showInformationMessage(sentence, open);
  if (choice === open) await vscode.commands.executeCommand('workbench.action.openSettings', 'glm.enable');
}

async function snooze(switches: Switches): Promise<void> {
  const choices = [5, 15, 60, 240].map(minutes => ({
    label: minutes < 60 ? vscode.l10n.t('{0} minutes', minutes) : vscode.l10n.t('{0} h', minutes / 60),
    minutes,
  }));
  const choice = await vscode.window.showQuickPick(choices, { title: vscode.l10n.t('No ghost text for how long?') });
  if (choice !== undefined) switches.snooze(choice.minutes);
}

async function restartDaemon(server: LanguageServer): Promise<void> {
  await server.execute('glm.server.restart');
}

/** The server's own account, in a read-only document. */
async function showStatus({ server, status, documents }: Parts): Promise<void> {
  let said: unknown;
  try {
    said = await server.execute('glm.server.status');
  } catch (error) {
    said = { problem: messageOf(error) };
  }
  await documents.showJson('GLM Status.json', { summary: status.line, program: server.program ?? null, server: said });
}

interface Entry extends vscode.QuickPickItem {
  readonly command?: string;
  readonly args?: readonly unknown[];
}

async function showMenu({ status, switches, server }: Parts): Promise<void> {
  const snoozed = switches.snoozeLeftMs > 0;
  const document = vscode.window.activeTextEditor?.document;
  const entries: Entry[] = [
    snoozed
      ? { label: vscode.l10n.t('$(bell) Resume Ghost Text'), command: 'glm.resume' }
      : { label: vscode.l10n.t('$(bell-slash) Snooze…'), command: 'glm.snooze' },
    switches.isEnabled()
      ? { label: vscode.l10n.t('$(circle-slash) Turn Ghost Text Off'), command: 'glm.toggle' }
      : { label: vscode.l10n.t('$(check) Turn Ghost Text On'), command: 'glm.toggle' },
  ];
  if (document !== undefined && switches.isEnabled()) {
    const language = document.languageId;
    const label = switches.isEnabledFor(document)
      ? vscode.l10n.t('$(circle-slash) Turn Ghost Text Off for {0}', language)
      : vscode.l10n.t('$(check) Turn Ghost Text On for {0}', language);
    entries.push({ label, command: 'glm.toggleLanguage' });
  }
  entries.push(
    { label: '', kind: vscode.QuickPickItemKind.Separator },
    { label: vscode.l10n.t('$(comment-discussion) Open the Panel'), command: 'glm.openPanel' },
    { label: vscode.l10n.t('$(versions) Pick Model…'), command: 'glm.pickModel' },
    { label: vscode.l10n.t('$(question) Why No Suggestion?'), command: 'glm.whyNothing' },
    { label: '', kind: vscode.QuickPickItemKind.Separator },
    { label: vscode.l10n.t('$(refresh) Restart Server'), command: 'glm.restartServer' },
    { label: vscode.l10n.t('$(info) Show Status'), command: 'glm.showStatus' },
    { label: vscode.l10n.t('$(output) Show Logs'), command: 'glm.showLogs' },
    { label: vscode.l10n.t('$(gear) Settings'), command: 'workbench.action.openSettings', args: ['@ext:glm-lsp.glm-lsp'] },
  );
  if (server.state.kind === 'unusable') {
    entries.unshift({ label: vscode.l10n.t('$(gear) Set the Server Path…'), command: 'workbench.action.openSettings', args: ['glm.server.path'] });
  }
  const choice = await vscode.window.showQuickPick(entries, { title: 'GLM', placeHolder: status.line });
  if (choice?.command !== undefined) await vscode.commands.executeCommand(choice.command, ...(choice.args ?? []));
}
