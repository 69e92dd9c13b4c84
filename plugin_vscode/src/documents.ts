/** Read-only documents that exist only in this window: accounts, previews, the two sides of a diff. */

import * as vscode from 'vscode';

const SCHEME = 'glm-view';
const MOST_KEPT = 40;

export class Documents implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registration: vscode.Disposable;
  readonly #texts = new Map<string, string>();

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.toString()) ?? '';
  }

  /** The address of a text under a name; the same name again replaces it. */
  put(name: string, text: string): vscode.Uri {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}` });
    this.#texts.delete(uri.toString());
    this.#texts.set(uri.toString(), text);
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= MOST_KEPT) break;
      this.#texts.delete(oldest);
    }
    this.#changed.fire(uri);
    return uri;
  }

  async show(name: string, text: string): Promise<void> {
    const document = await vscode.workspace.openTextDocument(this.put(name, text));
    await vscode.window.showTextDocument(document, { preview: true });
  }

  showJson(name: string, content: unknown): Promise<void> {
    return this.show(name, `${JSON.stringify(content, null, 2)}\n`);
  }

  /** Two texts side by side; `after` is called by its own name, so that VS Code knows its language. */
  async diff(title: string, before: { name: string; text: string }, after: { name: string; text: string }): Promise<void> {
    const left = this.put(`before/${before.name}`, before.text);
    const right = this.put(`after/${after.name}`, after.text);
    await vscode.commands.executeCommand('vscode.diff', left, right, title, { preview: true });
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
}
