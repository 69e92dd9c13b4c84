/**
 * Ghost text on and off: for everyone (setting `glm.enable`), for one language (the same setting in
 * that language's section), or for a while (snooze, which no settings file sees).
 */

import * as vscode from 'vscode';

export class Switches implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #listener: vscode.Disposable;
  #snoozedUntil = 0;
  #wake: NodeJS.Timeout | undefined;

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#listener = vscode.workspace.onDidChangeConfiguration(event => {
      if (event.affectsConfiguration('glm.enable')) this.#changed.fire();
    });
  }

  /** Milliseconds of snooze left, 0 when awake. */
  get snoozeLeftMs(): number {
    return Math.max(0, this.#snoozedUntil - Date.now());
  }

  isEnabled(document?: vscode.TextDocument): boolean {
    return vscode.workspace.getConfiguration('glm', scopeOf(document)).get('enable', true);
  }

  mayComplete(document: vscode.TextDocument): boolean {
    return this.snoozeLeftMs === 0 && this.isEnabled(document);
  }

  snooze(minutes: number): void {
    clearTimeout(this.#wake);
    this.#snoozedUntil = Date.now() + minutes * 60_000;
    this.#wake = setTimeout(() => this.resume(), minutes * 60_000);
    this.#changed.fire();
  }

  resume(): void {
    clearTimeout(this.#wake);
    this.#snoozedUntil = 0;
    this.#changed.fire();
  }

  async toggle(): Promise<void> {
    const on = this.isEnabled();
    await vscode.workspace.getConfiguration('glm').update('enable', !on, vscode.ConfigurationTarget.Global);
  }

  async toggleLanguage(document: vscode.TextDocument): Promise<void> {
    const on = this.isEnabled(document);
    const scope = { languageId: document.languageId };
    await vscode.workspace.getConfiguration('glm', scope).update('enable', !on, vscode.ConfigurationTarget.Global, true);
  }

  dispose(): void {
    clearTimeout(this.#wake);
    this.#listener.dispose();
    this.#changed.dispose();
  }
}

function scopeOf(document?: vscode.TextDocument): vscode.ConfigurationScope | undefined {
  return document && { uri: document.uri, languageId: document.languageId };
}
