/** "Fine-tune This Workspace": first what would happen, then the run, then the receipt. */

import * as vscode from 'vscode';
import type { Documents } from './documents.ts';
import type { LanguageServer } from './language_server.ts';
import { underProgress } from './work.ts';

interface Receipt {
  readonly published?: boolean;
  readonly reason?: string;
}

export async function finetuneWorkspace(server: LanguageServer, documents: Documents): Promise<void> {
  const folder = await pickFolder();
  if (folder === undefined) return;
  const params = { folder: folder.uri.toString() };
  const preflight = await underProgress<Receipt>(server, vscode.l10n.t('GLM: looking at the repository'), 'glm/finetune', { ...params, dryRun: true });
  if (preflight === undefined) return;
  await documents.showJson(`Fine-tuning ${folder.name} (plan).json`, preflight);
  const go = vscode.l10n.t('Start');
  const detail = vscode.l10n.t('The plan is in the editor. Training runs on this machine and waits while you get completions.');
  const choice = await vscode.window.showInformationMessage(vscode.l10n.t('Fine-tune on {0}?', folder.name), { modal: true, detail }, go);
  if (choice !== go) return;
  const receipt = await underProgress<Receipt>(server, vscode.l10n.t('GLM: fine-tuning on {0}', folder.name), 'glm/finetune', params);
  if (receipt === undefined) return;
  await documents.showJson(`Fine-tuning ${folder.name} (receipt).json`, receipt);
  void vscode.window.showInformationMessage(`GLM: ${receipt.reason ?? vscode.l10n.t('The receipt is in the editor.')}`);
}

async function pickFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a folder with a git repository first.'));
    return undefined;
  }
  return folders.length === 1 ? folders[0] : vscode.window.showWorkspaceFolderPick();
}
