/** What stands between VS Code and the server: the switches, a timing in the log, settings by language. */

import * as vscode from 'vscode';
import type { ConfigurationItem } from 'vscode-languageclient';
import type { Middleware } from 'vscode-languageclient/node';
import type { Switches } from './switches.ts';

/** A code action's work, when it is ours to show; false where the server shall do it. */
export type Perform = (request: string, params: object) => boolean;

/** The command of the server's code actions; other clients let the server run it. */
const TASK = 'glm.server.task';

export function middleware(switches: Switches, log: vscode.LogOutputChannel, perform: Perform): Middleware {
  return {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      if (!switches.mayComplete(document)) return undefined;
      const began = performance.now();
      const answer = await next(document, position, context, token);
      const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
      // Numbers only: what the user types never reaches a log.
      log.debug(`ghost text: ${items.length} item(s) in ${(performance.now() - began).toFixed(1)} ms${token.isCancellationRequested ? ', cancelled' : ''}`);
      return answer;
    },
    executeCommand: async (command, args, next) => {
      const [task] = args as [{ request?: string; params?: object }?];
      if (command === TASK && task?.request !== undefined && perform(task.request, task.params ?? {})) return null;
      return next(command, args) as Promise<unknown>;
    },
    workspace: {
      configuration: async (params, token, next) => {
        const values = await next(params, token);
        return Array.isArray(values) ? values.map((value: unknown, i) => ofDocument(params.items[i], value)) : values;
      },
    },
  };
}

/** A document's own values: the client asks VS Code by file, and a language's settings would be missed. */
function ofDocument(item: ConfigurationItem | undefined, value: unknown): unknown {
  if (item?.section !== 'glm' || item.scopeUri === undefined) return value;
  const uri = vscode.Uri.parse(item.scopeUri).toString();
  const document = vscode.workspace.textDocuments.find(each => each.uri.toString() === uri);
  return document === undefined ? value : overridden(vscode.workspace.getConfiguration('glm', document), value);
}

function overridden(settings: vscode.WorkspaceConfiguration, value: unknown, key = ''): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return settings.get(key) ?? value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, overridden(settings, each, key === '' ? name : `${key}.${name}`)]));
}
