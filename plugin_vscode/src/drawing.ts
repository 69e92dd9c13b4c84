/** "Draw Image": words in, a picture in the workspace and its link in the text. */

import path from 'node:path';
import * as vscode from 'vscode';
import type { LanguageServer } from './language_server.ts';
import { underProgress } from './work.ts';

/** Parameters of `glm/drawImage`, but its token. */
export interface DrawParams {
  readonly prompt: string;
  readonly size?: string;
  readonly seed?: number;
  readonly target?: string;
  readonly transparent?: boolean;
  readonly textDocument?: { readonly uri: string };
  readonly position?: vscode.Position;
}

interface Drawn {
  readonly files: readonly string[];
  readonly seed: number;
  readonly edit?: unknown;
}

const SIZES = ['128x128', '64x64', '32x32', '256x256', '512x512'];
const LINKING = ['markdown', 'html', 'css', 'scss', 'less', 'javascriptreact', 'typescriptreact', 'vue', 'svelte'];

const PREVIEWS = 4;

/** The picture so far, in a tab beside: VS Code shows a picture's file anew when it changes. */
class Preview {
  readonly #file: vscode.Uri;
  #work: Promise<void> = Promise.resolve();
  #open = false;

  constructor(storage: vscode.Uri) {
    this.#file = vscode.Uri.joinPath(storage, 'drawing.png');
  }

  show(dataUri: string): void {
    const bytes = Buffer.from(dataUri.slice(dataUri.indexOf(',') + 1), 'base64');
    this.#then(async () => {
      await vscode.workspace.fs.writeFile(this.#file, bytes);
      if (this.#open) return;
      this.#open = true;
      await vscode.commands.executeCommand('vscode.open', this.#file, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: true });
    });
  }

  async close(): Promise<void> {
    this.#then(async () => {
      if (!this.#open) return;
      this.#open = false;
      const ours = (tab: vscode.Tab) => tab.input instanceof vscode.TabInputCustom && tab.input.uri.toString() === this.#file.toString();
      await vscode.window.tabGroups.close(vscode.window.tabGroups.all.flatMap(group => group.tabs.filter(ours)), true);
      await vscode.workspace.fs.delete(this.#file);
    });
    await this.#work;
  }

  /** One thing after the other; a preview that fails is none. */
  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch(() => undefined);
  }
}

export class Drawing {
  readonly #server: LanguageServer;
  readonly #preview: Preview;

  /** `storage`: a folder of the extension's own, where the picture so far lies while one is drawn. */
  constructor(server: LanguageServer, storage: vscode.Uri) {
    this.#server = server;
    this.#preview = new Preview(storage);
  }

  async run(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const prompt = await vscode.window.showInputBox({
      title: vscode.l10n.t('Draw which picture?'),
      placeHolder: vscode.l10n.t('a red circle above two blue squares'),
      value: editor?.document.getText(editor.selection).slice(0, 300) ?? '',
    });
    if (prompt === undefined || prompt.trim() === '') return;
    const asked = await askSizeAndSeed();
    if (asked === undefined) return;
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const where = editor === undefined || editor.document.isUntitled ? folder : vscode.Uri.joinPath(editor.document.uri, '..');
    if (where === undefined) {
      void vscode.window.showInformationMessage(vscode.l10n.t('Open a folder first: the picture is saved in it.'));
      return;
    }
    const linked = editor !== undefined && LINKING.includes(editor.document.languageId);
    const link = linked ? { textDocument: { uri: editor.document.uri.toString() }, position: editor.selection.active } : {};
    await this.perform({ prompt, ...asked, target: where.toString(), ...link });
  }

  /** With the parameters of `glm/drawImage`, also from a code action. */
  async perform(params: DrawParams): Promise<void> {
    const asked = { ...params, previews: PREVIEWS };
    const onPreview = (dataUri: string) => this.#preview.show(dataUri);
    const drawn = await underProgress<Drawn>(this.#server, vscode.l10n.t('GLM: drawing'), 'glm/drawImage', asked, undefined, onPreview);
    await this.#preview.close();
    const file = drawn?.files[0];
    if (drawn === undefined || file === undefined) return;
    const uri = vscode.Uri.parse(file);
    await vscode.commands.executeCommand('vscode.open', uri, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: true });
    const insert = vscode.l10n.t('Insert Link');
    const again = vscode.l10n.t('Another One');
    const remove = vscode.l10n.t('Delete');
    const choices = drawn.edit === undefined || drawn.edit === null ? [again, remove] : [insert, again, remove];
    const sentence = vscode.l10n.t('{0} was drawn with seed {1}.', path.basename(uri.path), drawn.seed);
    const choice = await vscode.window.showInformationMessage(sentence, ...choices);
    if (choice === insert) await this.#server.apply(drawn.edit);
    if (choice === again) await this.perform({ ...params, seed: drawn.seed + 1 });
    if (choice === remove) await vscode.workspace.fs.delete(uri, { useTrash: true });
  }
}

/** The size; the seed only from who wants to say it. */
async function askSizeAndSeed(): Promise<{ readonly size: string; readonly seed?: number } | undefined> {
  const certain = vscode.l10n.t('A certain seed…');
  let size = await askSize(certain);
  if (size !== certain) return size === undefined ? undefined : { size };
  const seed = await vscode.window.showInputBox({
    title: vscode.l10n.t('Which seed?'),
    placeHolder: '1',
    validateInput: text => (/^\d{1,9}$/.test(text.trim()) ? undefined : vscode.l10n.t('A whole number.')),
  });
  if (seed === undefined) return undefined;
  size = await askSize();
  return size === undefined ? undefined : { size, seed: Number(seed) };
}

async function askSize(...more: string[]): Promise<string | undefined> {
  const other = vscode.l10n.t('Another size…');
  const choice = await vscode.window.showQuickPick([...SIZES, other, ...more], { title: vscode.l10n.t('How large, in pixels?') });
  if (choice !== other) return choice;
  return vscode.window.showInputBox({
    title: vscode.l10n.t('How large, in pixels?'),
    placeHolder: '200x120',
    validateInput: text => (/^\d{1,4}x\d{1,4}$/.test(text.trim()) ? undefined : vscode.l10n.t('Width x height, as 200x120.')),
  });
}
