/** Long work of the server, as the user meets it: a progress notice that can be cancelled, and one sentence when it fails. */

import * as vscode from 'vscode';
import type { Delta, LanguageServer } from './language_server.ts';

/** Run one request under a progress notice. Undefined when it was cancelled or failed (the user was told). */
export async function underProgress<T>(
  server: LanguageServer,
  title: string,
  method: string,
  params: object,
  onText?: (text: string) => void,
  onPreview?: (dataUri: string) => void,
): Promise<T | undefined> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, async (progress, cancel) => {
    let done = 0;
    let written = 0;
    const onDelta = (delta: Delta) => {
      if (delta.text !== undefined) {
        written += delta.text.length;
        onText?.(delta.text);
        progress.report({ message: vscode.l10n.t('{0} characters', written) });
      }
      if (delta.step !== undefined && delta.steps !== undefined && delta.steps > 0) {
        const share = (100 * delta.step) / delta.steps;
        progress.report({ increment: Math.max(0, share - done), message: delta.message ?? `${delta.step} / ${delta.steps}` });
        done = Math.max(done, share);
      }
      if (delta.preview !== undefined) onPreview?.(delta.preview);
    };
    try {
      return await server.longWork<T>(method, params, onDelta, cancel);
    } catch (error) {
      if (!cancel.isCancellationRequested) tell(error);
      return undefined;
    }
  });
}

/** An error as one sentence. */
export function tell(error: unknown): void {
  void vscode.window.showWarningMessage(`GLM: ${messageOf(error)}`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A range as LSP writes it; VS Code's own class has another JSON form. */
export interface PlainRange {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
}

export function plainRange({ start, end }: vscode.Range): PlainRange {
  return { start: { line: start.line, character: start.character }, end: { line: end.line, character: end.character } };
}

export function vscodeRange({ start, end }: PlainRange): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
