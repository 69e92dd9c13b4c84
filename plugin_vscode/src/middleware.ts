/** What stands between VS Code and the server: the switches, a timing in the log, settings of the editor alone. */

import type * as vscode from 'vscode';
import type { ConfigurationParams } from 'vscode-languageclient';
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
        return Array.isArray(values) ? values.map((value: unknown, i) => withoutOwn(params, i, value)) : values;
      },
    },
  };
}

/** `glm.server` says how this extension starts the server; to the server it means nothing. */
function withoutOwn(params: ConfigurationParams, i: number, value: unknown): unknown {
  if (params.items[i]?.section !== 'glm' || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'server'));
}
