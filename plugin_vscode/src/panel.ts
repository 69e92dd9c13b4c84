/**
 * The panel: questions about code and pictures, answered piece by piece.
 *
 * The page (media/panel.js) only draws and asks; every text of the model is put on it as text, never as
 * HTML. Scripts run by nonce, pictures are data URIs, nothing is loaded from anywhere else.
 */

import crypto from 'node:crypto';
import * as vscode from 'vscode';
import type { Documents } from './documents.ts';
import type { LanguageServer } from './language_server.ts';
import { messageOf, plainRange } from './work.ts';

/** What the page says. */
type FromPage =
  | { readonly type: 'ready' }
  | { readonly type: 'ask'; readonly text: string; readonly images: readonly string[]; readonly withFile: boolean }
  | { readonly type: 'stop' }
  | { readonly type: 'clear' }
  | { readonly type: 'copy' | 'insert' | 'diff'; readonly text: string };

interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

interface Answer {
  readonly text: string;
  readonly model?: string;
}

const MOST_TURNS = 40;

export class Panel implements vscode.WebviewViewProvider, vscode.Disposable {
  readonly #server: LanguageServer;
  readonly #documents: Documents;
  readonly #media: vscode.Uri;
  readonly #registration: vscode.Disposable;
  #view: vscode.WebviewView | undefined;
  #waiting: unknown[] = [];
  #turns: Turn[] = [];
  #cancel: vscode.CancellationTokenSource | undefined;

  constructor(server: LanguageServer, documents: Documents, extension: vscode.Uri) {
    this.#server = server;
    this.#documents = documents;
    this.#media = vscode.Uri.joinPath(extension, 'media');
    this.#registration = vscode.window.registerWebviewViewProvider('glm.panel', this, { webviewOptions: { retainContextWhenHidden: true } });
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.#view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [this.#media] };
    view.webview.onDidReceiveMessage((message: FromPage) => void this.#hear(message));
    view.onDidDispose(() => {
      this.#view = undefined;
      this.#cancel?.cancel();
    });
    view.webview.html = this.#page(view.webview);
  }

  async focus(): Promise<void> {
    await vscode.commands.executeCommand('glm.panel.focus');
  }

  /** Show a finished answer, asked for elsewhere. */
  async say(question: string, text: string, model: string): Promise<void> {
    this.#remember({ role: 'user', content: question }, { role: 'assistant', content: text });
    await this.focus();
    this.#post({ type: 'turn', question, text, model });
  }

  dispose(): void {
    this.#cancel?.cancel();
    this.#registration.dispose();
  }

  /** To the page, now or as soon as it is there. */
  #post(message: unknown): void {
    if (this.#view === undefined || this.#waiting.length > 0) this.#waiting.push(message);
    else void this.#view.webview.postMessage(message);
  }

  async #hear(message: FromPage): Promise<void> {
    switch (message.type) {
      case 'ready': {
        const waiting = this.#waiting;
        this.#waiting = [];
        for (const each of waiting) this.#post(each);
        return;
      }
      case 'ask':
        return this.#ask(message.text, message.images, message.withFile);
      case 'stop':
        this.#cancel?.cancel();
        return;
      case 'clear':
        this.#turns = [];
        return;
      case 'copy':
        return vscode.env.clipboard.writeText(message.text);
      case 'insert':
        return insert(message.text);
      case 'diff':
        return this.#diff(message.text);
    }
  }

  async #ask(text: string, images: readonly string[], withFile: boolean): Promise<void> {
    this.#cancel?.cancel();
    const source = new vscode.CancellationTokenSource();
    this.#cancel = source;
    const onDelta = (delta: { text?: string }) => {
      if (delta.text !== undefined && this.#cancel === source) this.#post({ type: 'delta', text: delta.text });
    };
    try {
      const [method, params] = images.length > 0 ? aboutImages(text, images) : this.#aboutCode(text, withFile);
      const answer = await this.#server.longWork<Answer>(method, params, onDelta, source.token);
      this.#remember({ role: 'user', content: text }, { role: 'assistant', content: answer.text });
      this.#post({ type: 'answer', text: answer.text, model: answer.model ?? '' });
    } catch (error) {
      this.#post(source.token.isCancellationRequested ? { type: 'stopped' } : { type: 'failed', text: messageOf(error) });
    } finally {
      source.dispose();
    }
  }

  #aboutCode(text: string, withFile: boolean): [string, object] {
    const messages = [...this.#turns, { role: 'user', content: text }];
    const editor = vscode.window.activeTextEditor;
    if (!withFile || editor === undefined) return ['glm/chat', { task: 'ask', messages }];
    const textDocument = { uri: editor.document.uri.toString() };
    return ['glm/chat', { task: 'ask', messages, textDocument, range: plainRange(editor.selection) }];
  }

  #remember(...turns: Turn[]): void {
    this.#turns = [...this.#turns, ...turns].slice(-MOST_TURNS);
  }

  /** The proposed text beside what is selected, or beside the whole file. */
  async #diff(text: string): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) return;
    const selected = editor.document.getText(editor.selection.isEmpty ? undefined : editor.selection);
    const name = editor.document.uri.path.split('/').pop() ?? 'text';
    await this.#documents.diff(`GLM · ${name}`, { name, text: selected }, { name, text });
  }

  #page(webview: vscode.Webview): string {
    const nonce = crypto.randomBytes(16).toString('base64url');
    const file = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(this.#media, name)).toString();
    const words = {
      placeholder: vscode.l10n.t('Ask about your code, or paste a picture'),
      send: vscode.l10n.t('Send'),
      stop: vscode.l10n.t('Stop'),
      clear: vscode.l10n.t('New conversation'),
      withFile: vscode.l10n.t('With the open file'),
      copy: vscode.l10n.t('Copy'),
      insert: vscode.l10n.t('Insert'),
      diff: vscode.l10n.t('Compare'),
      you: vscode.l10n.t('You'),
      stopped: vscode.l10n.t('Stopped.'),
      removePicture: vscode.l10n.t('Remove the picture'),
      picture: vscode.l10n.t('Picture'),
      conversation: vscode.l10n.t('Conversation'),
      addPicture: vscode.l10n.t('Add a picture'),
      welcome: vscode.l10n.t('Everything you ask stays on this machine. Select code before you ask, or drop a screenshot here.'),
    };
    return `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'; img-src data:;">
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="${file('panel.css')}">
<title>GLM</title>
</head>
<body data-words="${escapeAttribute(JSON.stringify(words))}">
<script nonce="${nonce}" src="${file('panel.js')}"></script>
</body>
</html>`;
  }
}

function aboutImages(question: string, images: readonly string[]): [string, object] {
  return ['glm/askImage', { images: images.map(data => ({ data })), question }];
}

async function insert(text: string): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return;
  await editor.edit(builder => builder.replace(editor.selection, text));
  await vscode.window.showTextDocument(editor.document);
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
