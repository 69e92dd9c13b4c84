/** "Pick Model" and "Pick Adapter": what the daemon has, written into the user's own settings. */

import * as vscode from 'vscode';
import type { LanguageServer } from './language_server.ts';

interface Listing {
  readonly models: readonly { readonly name: string; readonly family?: string; readonly default?: boolean; readonly loaded?: boolean }[];
  readonly adapters: readonly { readonly name: string; readonly model?: string; readonly gain?: number | null }[];
}

interface Choice extends vscode.QuickPickItem {
  readonly value: string;
}

export async function pickModel(server: LanguageServer): Promise<void> {
  const { models } = await server.request<Listing>('glm/models', {});
  const chosen = vscode.workspace.getConfiguration('glm').get('model', '');
  const items: Choice[] = models
    .filter(model => (model.family ?? 'code') === 'code' || model.family === 'fake')
    .map(model => ({
      value: model.name,
      label: `${model.name === chosen ? '$(check) ' : ''}${model.name}`,
      description: [model.default ? vscode.l10n.t('default') : '', model.loaded ? vscode.l10n.t('loaded') : ''].filter(Boolean).join(', '),
    }));
  items.unshift({ value: '', label: vscode.l10n.t('The default of the daemon') });
  const title = vscode.l10n.t('Which model completes?');
  const placeHolder = vscode.l10n.t('Add others with `glm-lsp models add NAME PATH`.');
  const choice = await vscode.window.showQuickPick(items, { title, placeHolder });
  if (choice !== undefined) await write('model', choice.value);
}

export async function pickAdapter(server: LanguageServer): Promise<void> {
  const { adapters } = await server.request<Listing>('glm/models', {});
  if (adapters.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('There is no adapter yet. "GLM: Fine-tune This Workspace" makes one.'));
    return;
  }
  const items: Choice[] = adapters.map(adapter => ({ value: adapter.name, label: adapter.name, description: adapter.model ?? '' }));
  items.unshift({ value: '', label: vscode.l10n.t('Chosen by the workspace') });
  const choice = await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Which adapter?') });
  if (choice !== undefined) await write('adapter', choice.value);
}

async function write(key: string, value: string): Promise<void> {
  await vscode.workspace.getConfiguration('glm').update(key, value === '' ? undefined : value, vscode.ConfigurationTarget.Global);
}
