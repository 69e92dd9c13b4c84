/** The document behind "Show Status": JSON that is made when asked for, and cannot be edited or saved. */

import * as vscode from 'vscode';

const SCHEME = 'glm-status';

export class Account implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #registration: vscode.Disposable;
  readonly #uri = vscode.Uri.from({ scheme: SCHEME, path: '/GLM Status.json' });
  #text = '';

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  provideTextDocumentContent(): string {
    return this.#text;
  }

  async open(content: unknown): Promise<vscode.TextDocument> {
    this.#text = `${JSON.stringify(content, null, 2)}\n`;
    this.#changed.fire(this.#uri);
    return vscode.workspace.openTextDocument(this.#uri);
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
}
