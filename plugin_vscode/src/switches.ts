/**
 * Ghost text on and off: everywhere (`glm.enable`), by language (`glm.enable` in that language's
 * section, `glm.disabledLanguages`, `glm.enabledLanguages`), or for a while (snooze, which no
 * settings file sees). The server obeys the same settings; asking here saves it the request and
 * covers what only VS Code knows: values for one language.
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
      if (event.affectsConfiguration('glm')) this.#changed.fire();
    });
  }

  /** Milliseconds of snooze left, 0 when awake. */
  get snoozeLeftMs(): number {
    return Math.max(0, this.#snoozedUntil - Date.now());
  }

  isEnabled(): boolean {
    return settings().get('enable', true);
  }

  isEnabledFor(document: vscode.TextDocument): boolean {
    const here = settings({ uri: document.uri, languageId: document.languageId });
    const only = here.get<string[]>('enabledLanguages', []);
    return (
      here.get('enable', true) &&
      !here.get<string[]>('disabledLanguages', []).includes(document.languageId) &&
      (only.length === 0 || only.includes(document.languageId))
    );
  }

  mayComplete(document: vscode.TextDocument): boolean {
    return this.snoozeLeftMs === 0 && this.isEnabledFor(document);
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
    await settings().update('enable', !this.isEnabled(), vscode.ConfigurationTarget.Global);
  }

  /** Puts the language on the user's list, or takes it off. */
  async toggleLanguage(language: string): Promise<void> {
    const disabled = settings().inspect<string[]>('disabledLanguages')?.globalValue ?? [];
    const next = disabled.includes(language) ? disabled.filter(other => other !== language) : [...disabled, language];
    await settings().update('disabledLanguages', next, vscode.ConfigurationTarget.Global);
  }

  dispose(): void {
    clearTimeout(this.#wake);
    this.#listener.dispose();
    this.#changed.dispose();
  }
}

function settings(scope?: vscode.ConfigurationScope): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('glm', scope);
}
