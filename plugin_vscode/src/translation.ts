/** "Translate": a file or a selection in another language, shown beside the source before anything is written. */

import path from 'node:path';
import * as vscode from 'vscode';
import type { Documents } from './documents.ts';
import type { LanguageServer } from './language_server.ts';
import { plainRange, underProgress, vscodeRange, type PlainRange } from './work.ts';

interface Target extends vscode.QuickPickItem {
  readonly id: string;
}

/** What the server answers to `glm/translate`. */
interface Translated {
  readonly text: string;
  readonly parses: boolean;
  readonly errors?: readonly { readonly line: number; readonly message: string }[];
  readonly uri?: string;
  readonly edit?: unknown;
}

const TARGETS: readonly (readonly [string, string])[] = [
  ['python', 'Python'],
  ['javascript', 'JavaScript'],
  ['typescript', 'TypeScript'],
  ['java', 'Java'],
  ['cpp', 'C++'],
  ['c', 'C'],
  ['csharp', 'C#'],
  ['go', 'Go'],
  ['rust', 'Rust'],
  ['kotlin', 'Kotlin'],
  ['php', 'PHP'],
  ['ruby', 'Ruby'],
];

export class Translation {
  readonly #server: LanguageServer;
  readonly #documents: Documents;
  #last = '';

  constructor(server: LanguageServer, documents: Documents) {
    this.#server = server;
    this.#documents = documents;
  }

  /** Of the active editor: the selection, or the whole file. */
  async run(what: 'file' | 'selection'): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) {
      void vscode.window.showInformationMessage(vscode.l10n.t('Open a source file first.'));
      return;
    }
    const whole = what === 'file' || editor.selection.isEmpty;
    const to = await this.#choose(editor.document.languageId);
    if (to === undefined) return;
    const params = { textDocument: { uri: editor.document.uri.toString() }, to };
    await this.perform(whole ? params : { ...params, range: plainRange(editor.selection) });
  }

  /** With the parameters of `glm/translate`, also from a code action. */
  async perform(params: { textDocument: { uri: string }; to: string; range?: PlainRange }): Promise<void> {
    const source = await vscode.workspace.openTextDocument(vscode.Uri.parse(params.textDocument.uri));
    const title = vscode.l10n.t('GLM: translating to {0}', nameOf(params.to));
    const answer = await underProgress<Translated>(this.#server, title, 'glm/translate', params);
    if (answer === undefined) return;
    const name = path.basename(source.uri.path);
    const target = answer.uri === undefined ? `${name}.${params.to}` : path.basename(vscode.Uri.parse(answer.uri).path);
    const range = params.range;
    const before = range === undefined ? source.getText() : source.getText(vscodeRange(range));
    await this.#documents.diff(`${name} → ${target}`, { name, text: before }, { name: target, text: answer.text });
    await this.#offer(answer, params, target);
  }

  async #offer(answer: Translated, params: { to: string; range?: PlainRange }, target: string): Promise<void> {
    const create = vscode.l10n.t('Create {0}', target);
    const open = vscode.l10n.t('Open as New File');
    const copy = vscode.l10n.t('Copy');
    const choices = params.range === undefined && answer.edit !== undefined ? [create, copy] : [open, copy];
    const first = answer.errors?.[0];
    const problem = first === undefined ? '' : vscode.l10n.t('line {0}: {1}', first.line, first.message);
    const choice = answer.parses
      ? await vscode.window.showInformationMessage(vscode.l10n.t('The translation parses as {0}.', nameOf(params.to)), ...choices)
      : await vscode.window.showWarningMessage(vscode.l10n.t('The translation does not parse as {0}: {1}', nameOf(params.to), problem), ...choices);
    if (choice === copy) await vscode.env.clipboard.writeText(answer.text);
    if (choice === open) await openNew(answer.text, params.to);
    if (choice === create && (await this.#server.apply(answer.edit)) && answer.uri !== undefined) {
      const written = await vscode.workspace.openTextDocument(vscode.Uri.parse(answer.uri));
      await vscode.window.showTextDocument(written, { preview: false });
      await written.save();
    }
  }

  async #choose(from: string): Promise<string | undefined> {
    const others = TARGETS.filter(([id]) => id !== from);
    const items: Target[] = others.map(([id, label]) => ({ id, label }));
    items.sort((a, b) => Number(b.id === this.#last) - Number(a.id === this.#last));
    const choice = await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Translate to which language?') });
    this.#last = choice?.id ?? this.#last;
    return choice?.id;
  }
}

export function nameOf(language: string): string {
  return TARGETS.find(([id]) => id === language)?.[1] ?? language;
}

export async function openNew(content: string, language: string): Promise<void> {
  const document = await vscode.workspace.openTextDocument({ content, language });
  await vscode.window.showTextDocument(document);
}
