/** The commands of the category GLM and the status item's menu. Each is a few lines; the server decides. */

import * as vscode from 'vscode';
import type { Account } from './account.ts';
import type { LanguageServer } from './language_server.ts';
import type { StatusItem } from './status_item.ts';
import type { Switches } from './switches.ts';

export interface Parts {
  readonly account: Account;
  readonly log: vscode.LogOutputChannel;
  readonly server: LanguageServer;
  readonly status: StatusItem;
  readonly switches: Switches;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const { log, server, switches } = parts;
  const table: Record<string, () => unknown> = {
    'glm.showMenu': () => showMenu(parts),
    'glm.toggle': () => switches.toggle(),
    'glm.toggleLanguage': () => toggleLanguage(switches),
    'glm.snooze': () => snooze(switches),
    'glm.resume': () => switches.resume(),
    'glm.restartServer': () => server.restart(),
    'glm.restartDaemon': () => restartDaemon(server),
    'glm.showLogs': () => log.show(),
    'glm.showStatus': () => showStatus(parts),
  };
  return vscode.Disposable.from(
    ...Object.entries(table).map(([id, run]) => vscode.commands.registerCommand(id, () => run())),
  );
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
  try {
    await server.execute('glm.server.restart');
  } catch (error) {
    void vscode.window.showWarningMessage(`GLM: ${messageOf(error)}`);
  }
}

/** The server's own account, in a read-only document. */
async function showStatus({ server, status, account }: Parts): Promise<void> {
  let said: unknown;
  try {
    said = await server.execute('glm.server.status');
  } catch (error) {
    said = { problem: messageOf(error) };
  }
  const document = await account.open({ summary: status.line, program: server.program ?? null, server: said });
  await vscode.window.showTextDocument(document, { preview: true });
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
