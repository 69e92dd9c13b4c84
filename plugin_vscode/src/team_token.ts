/** The token of a team's daemon: in VS Code's secret storage, handed to the language server alone. */

import * as vscode from 'vscode';

const KEY = 'glm.daemon.token';

export class TeamToken {
  readonly #storage: vscode.SecretStorage;
  readonly #log: vscode.LogOutputChannel;

  constructor(storage: vscode.SecretStorage, log: vscode.LogOutputChannel) {
    this.#storage = storage;
    this.#log = log;
  }

  /** Undefined where none was set, or where the system's key store cannot be read. */
  async get(): Promise<string | undefined> {
    try {
      return await this.#storage.get(KEY);
    } catch (error) {
      this.#log.warn(`the secret storage cannot be read: ${error instanceof Error ? error.name : 'error'}`);
      return undefined;
    }
  }

  /** Ask the user for it; true when it changed. An empty answer takes it away. */
  async ask(): Promise<boolean> {
    const token = await vscode.window.showInputBox({
      title: vscode.l10n.t('Token for a daemon of the team'),
      prompt: vscode.l10n.t('Kept in the secret storage of VS Code. Empty: take it away.'),
      password: true,
      ignoreFocusOut: true,
      validateInput: text => (/^[\x21-\x7e]*$/.test(text) ? undefined : vscode.l10n.t('A token has neither blanks nor letters beyond ASCII.')),
    });
    if (token === undefined) return false;
    await (token === '' ? this.#storage.delete(KEY) : this.#storage.store(KEY, token));
    return true;
  }
}
