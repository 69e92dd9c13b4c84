/** Explain, document, comment, tests, fix, review: what changes code is shown as a diff first, what is prose goes to the panel. */

import path from 'node:path';
import * as vscode from 'vscode';
import type { Documents } from './documents.ts';
import type { LanguageServer } from './language_server.ts';
import type { Panel } from './panel.ts';
import { openNew } from './translation.ts';
import { plainRange, underProgress, type PlainRange } from './work.ts';

export type Task = 'explain' | 'document' | 'comment' | 'tests' | 'fix' | 'review';

/** Parameters of `glm/chat`, but its token. */
export interface ChatParams {
  readonly task: string;
  readonly textDocument?: { readonly uri: string };
  readonly range?: PlainRange;
  readonly diagnostic?: unknown;
}

interface Answer {
  readonly text: string;
  readonly model?: string;
  readonly edit?: unknown;
}

export class Tasks {
  readonly #server: LanguageServer;
  readonly #documents: Documents;
  readonly #panel: Panel;

  constructor(server: LanguageServer, documents: Documents, panel: Panel) {
    this.#server = server;
    this.#documents = documents;
    this.#panel = panel;
  }

  async run(task: Task): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) {
      void vscode.window.showInformationMessage(vscode.l10n.t('Open a source file first.'));
      return;
    }
    const { document, selection } = editor;
    const base = { task, textDocument: { uri: document.uri.toString() }, range: plainRange(selection) };
    const diagnostic = task === 'fix' ? diagnosticAt(document, selection) : undefined;
    await this.perform(diagnostic === undefined ? base : { ...base, diagnostic });
  }

  /** With the parameters of `glm/chat`, also from a code action. */
  async perform(params: ChatParams): Promise<void> {
    const title = `GLM: ${titleOf(params.task)}`;
    const answer = await underProgress<Answer>(this.#server, title, 'glm/chat', params);
    if (answer === undefined) return;
    if (answer.edit !== undefined && answer.edit !== null) await this.#propose(title, answer, params);
    else if (params.task === 'tests') await openNew(answer.text, await languageOf(params));
    else await this.#panel.say(titleOf(params.task), answer.text, answer.model ?? '');
  }

  async #propose(title: string, answer: Answer, params: ChatParams): Promise<void> {
    const edit = await this.#server.asEdit(answer.edit);
    for (const [uri, edits] of edit.entries()) {
      const document = await documentAt(uri);
      const before = document?.getText() ?? '';
      const name = path.basename(uri.path);
      const after = document === undefined ? edits.map(each => each.newText).join('') : applied(document, edits);
      await this.#documents.diff(`${title} · ${name}`, { name, text: before }, { name, text: after });
    }
    const apply = vscode.l10n.t('Apply');
    const again = vscode.l10n.t('Try Again');
    const choice = await vscode.window.showInformationMessage(vscode.l10n.t('GLM proposes a change.'), apply, again);
    if (choice === apply) {
      if (!(await vscode.workspace.applyEdit(edit))) void vscode.window.showWarningMessage(vscode.l10n.t('The file has changed meanwhile; nothing was written.'));
      const target = params.textDocument;
      if (target !== undefined) await vscode.window.showTextDocument(vscode.Uri.parse(target.uri));
    }
    if (choice === again) await this.perform(params);
  }
}

async function documentAt(uri: vscode.Uri): Promise<vscode.TextDocument | undefined> {
  try {
    return await vscode.workspace.openTextDocument(uri);
  } catch {
    return undefined; // a file that the edit creates
  }
}

async function languageOf(params: ChatParams): Promise<string> {
  if (params.textDocument === undefined) return 'plaintext';
  return (await vscode.workspace.openTextDocument(vscode.Uri.parse(params.textDocument.uri))).languageId;
}

/** The text after the edits, which do not overlap (LSP). */
function applied(document: vscode.TextDocument, edits: readonly vscode.TextEdit[]): string {
  let text = document.getText();
  const byPlace = edits.map(edit => ({ start: document.offsetAt(edit.range.start), end: document.offsetAt(edit.range.end), newText: edit.newText }));
  byPlace.sort((a, b) => b.start - a.start);
  for (const { start, end, newText } of byPlace) text = text.slice(0, start) + newText + text.slice(end);
  return text;
}

/** The problem under the cursor, in LSP's own words. */
function diagnosticAt(document: vscode.TextDocument, selection: vscode.Range): unknown {
  const here = vscode.languages.getDiagnostics(document.uri).find(each => each.range.intersection(selection) !== undefined);
  return here === undefined ? undefined : { range: plainRange(here.range), message: here.message, source: here.source ?? '' };
}

function titleOf(task: string): string {
  switch (task) {
    case 'explain':
      return vscode.l10n.t('Explain');
    case 'document':
      return vscode.l10n.t('Write Documentation');
    case 'comment':
      return vscode.l10n.t('Write Comments');
    case 'tests':
      return vscode.l10n.t('Write Tests');
    case 'fix':
      return vscode.l10n.t('Fix Problem');
    case 'review':
      return vscode.l10n.t('Review Changes');
    default:
      return vscode.l10n.t('Ask');
  }
}
