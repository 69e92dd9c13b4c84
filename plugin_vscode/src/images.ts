/** Questions about pictures: from a file, from the link under the cursor, or pasted and dropped into the panel. */

import * as vscode from 'vscode';
import type { LanguageServer } from './language_server.ts';
import type { Panel } from './panel.ts';
import { openNew } from './translation.ts';
import { underProgress } from './work.ts';

/** Parameters of `glm/askImage`, but its token. */
export interface AskParams {
  readonly images: readonly ({ readonly uri: string } | { readonly data: string })[];
  readonly question: string;
  readonly task?: string;
}

interface Seen {
  readonly text: string;
  readonly boxes?: readonly (readonly number[])[];
  readonly valid?: boolean;
  readonly model?: string;
}

interface TaskItem extends vscode.QuickPickItem {
  readonly task: string;
}

const KINDS = ['png', 'jpg', 'jpeg', 'webp', 'gif', 'bmp'];
const LINK = /(?:!\[[^\]]*\]\(|src=["']|url\(["']?|["'`(])([^"'`()\s]+\.(?:png|jpe?g|webp|gif|bmp))/gi;

export class Images {
  readonly #server: LanguageServer;
  readonly #panel: Panel;

  constructor(server: LanguageServer, panel: Panel) {
    this.#server = server;
    this.#panel = panel;
  }

  /** About the picture under the cursor, else one that the user picks. */
  async run(): Promise<void> {
    const uri = imageUnderCursor() ?? (await pickFile());
    if (uri === undefined) return;
    const chosen = await vscode.window.showQuickPick(taskItems(), { title: vscode.l10n.t('What about the picture?') });
    if (chosen === undefined) return;
    let question = chosen.label;
    if (chosen.task === 'describe' || chosen.task === 'find') {
      const typed = await vscode.window.showInputBox({ title: chosen.label, placeHolder: vscode.l10n.t('Your question') });
      if (typed === undefined) return;
      question = typed.trim() === '' ? chosen.label : typed;
    }
    await this.perform({ images: [{ uri: uri.toString() }], question, task: chosen.task });
  }

  /** With the parameters of `glm/askImage`, also from a code action. */
  async perform(params: AskParams): Promise<void> {
    const seen = await underProgress<Seen>(this.#server, vscode.l10n.t('GLM: looking at the picture'), 'glm/askImage', params);
    if (seen === undefined) return;
    if (params.task === 'ui') {
      await openNew(seen.text, 'html');
      return;
    }
    const boxes = (seen.boxes ?? []).map(box => `[${box.join(', ')}]`).join(' ');
    const doubt = seen.valid === false ? `\n\n*${vscode.l10n.t('The result does not parse.')}*` : '';
    await this.#panel.say(params.question, [seen.text, boxes].filter(part => part !== '').join('\n\n') + doubt, seen.model ?? '');
  }
}

function taskItems(): TaskItem[] {
  return [
    { task: 'read', label: vscode.l10n.t('Read its text') },
    { task: 'error', label: vscode.l10n.t('Explain the error it shows') },
    { task: 'describe', label: vscode.l10n.t('Ask about it…') },
    { task: 'diagram', label: vscode.l10n.t('Turn the diagram into Mermaid') },
    { task: 'chart', label: vscode.l10n.t('Turn the chart or table into data') },
    { task: 'ui', label: vscode.l10n.t('Turn the screen into HTML') },
    { task: 'find', label: vscode.l10n.t('Find something in it…') },
  ];
}

async function pickFile(): Promise<vscode.Uri | undefined> {
  const picked = await vscode.window.showOpenDialog({ canSelectMany: false, filters: { [vscode.l10n.t('Pictures')]: KINDS } });
  return picked?.[0];
}

/** The file that a link on the cursor's line names, if the cursor is on the link. */
function imageUnderCursor(): vscode.Uri | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return undefined;
  const at = editor.selection.active.character;
  for (const found of editor.document.lineAt(editor.selection.active).text.matchAll(LINK)) {
    const link = found[1];
    if (link === undefined || /^[a-z]+:/i.test(link) || at < found.index || at > found.index + found[0].length) continue;
    return vscode.Uri.joinPath(editor.document.uri, '..', decodeURI(link));
  }
  return undefined;
}
