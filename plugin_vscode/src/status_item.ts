/** The one item in the status bar: what it shows for each state. Not here: what its menu does. */

import * as vscode from 'vscode';
import { explainProblem, type LanguageServer, type ServerState } from './language_server.ts';
import type { Switches } from './switches.ts';

interface Look {
  readonly icon: string;
  readonly line: string;
  readonly warn?: boolean;
}

export class StatusItem implements vscode.Disposable {
  readonly #item: vscode.StatusBarItem;
  readonly #server: LanguageServer;
  readonly #switches: Switches;
  readonly #listeners: vscode.Disposable[];

  constructor(server: LanguageServer, switches: Switches) {
    this.#server = server;
    this.#switches = switches;
    this.#item = vscode.window.createStatusBarItem('glm.status', vscode.StatusBarAlignment.Right, 100);
    this.#item.name = 'GLM';
    this.#item.command = 'glm.showMenu';
    this.#listeners = [
      server.onDidChangeState(() => this.#draw()),
      switches.onDidChange(() => this.#draw()),
      vscode.window.onDidChangeActiveTextEditor(() => this.#draw()),
    ];
    this.#draw();
    this.#item.show();
  }

  /** The state in one line, for the menu's title too. */
  get line(): string {
    return this.#look().line;
  }

  #draw(): void {
    const look = this.#look();
    this.#item.text = `$(${look.icon}) GLM`;
    this.#item.tooltip = plainTooltip(look.line);
    this.#item.accessibilityInformation = { label: `GLM: ${look.line}`, role: 'button' };
    this.#item.backgroundColor = look.warn ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
  }

  #look(): Look {
    const state = this.#server.state;
    const broken = state.kind === 'unusable' || state.kind === 'gaveUp';
    if (!broken) {
      const off = this.#switchedOff();
      if (off !== undefined) return off;
    }
    return lookOf(state);
  }

  #switchedOff(): Look | undefined {
    const minutes = Math.ceil(this.#switches.snoozeLeftMs / 60_000);
    const document = vscode.window.activeTextEditor?.document;
    if (minutes > 0) return { icon: 'bell-slash', line: vscode.l10n.t('Ghost text is snoozed for {0} min.', minutes) };
    if (!this.#switches.isEnabled()) return { icon: 'circle-slash', line: vscode.l10n.t('Ghost text is off.') };
    if (document && !this.#switches.isEnabledFor(document)) {
      return { icon: 'circle-slash', line: vscode.l10n.t('Ghost text is off for {0}.', document.languageId) };
    }
    return undefined;
  }

  dispose(): void {
    for (const listener of this.#listeners) listener.dispose();
    this.#item.dispose();
  }
}

function lookOf(state: ServerState): Look {
  switch (state.kind) {
    case 'stopped':
      return { icon: 'circle-slash', line: vscode.l10n.t('The language server is stopped.') };
    case 'starting':
      return { icon: 'loading~spin', line: vscode.l10n.t('The language server is starting.') };
    case 'unusable':
      return { icon: 'warning', line: explainProblem(state.problem), warn: true };
    case 'gaveUp':
      return { icon: 'warning', line: vscode.l10n.t('The language server ended again and again.'), warn: true };
    case 'running':
      return lookOfStatus(state.status.state, state.status.model ?? '', state.status.message ?? '');
  }
}

/** The states of the server's link to the daemon; those of a newer server are shown by their own words. */
function lookOfStatus(state: string, model: string, message: string): Look {
  const line = (text: string) => [text, message].filter(part => part !== '').join(' ');
  switch (state) {
    case 'ready':
      return { icon: 'sparkle', line: line(model === '' ? vscode.l10n.t('Ready.') : vscode.l10n.t('Ready: {0}.', model)) };
    case 'idle':
      return { icon: 'sparkle', line: line(vscode.l10n.t('Waiting for the first key.')) };
    case 'starting':
      return { icon: 'loading~spin', line: line(vscode.l10n.t('The daemon is starting.')) };
    case 'loading':
      return { icon: 'loading~spin', line: line(vscode.l10n.t('The model is being loaded.')) };
    case 'unreachable':
      return { icon: 'debug-disconnect', line: line(vscode.l10n.t('The daemon does not answer; trying again.')) };
    case 'failed':
    case 'off':
      return { icon: 'warning', line: message === '' ? vscode.l10n.t('No model can answer now.') : message, warn: true };
    default:
      return { icon: 'sparkle', line: [state, model, message].filter(part => part !== '').join(' · ') };
  }
}

/** Text from the server is shown as it is: never as Markdown, links or commands. */
function plainTooltip(line: string): vscode.MarkdownString {
  const tooltip = new vscode.MarkdownString();
  tooltip.isTrusted = false;
  return tooltip.appendText(`GLM: ${line}`);
}
