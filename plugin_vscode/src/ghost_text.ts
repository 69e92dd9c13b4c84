/** What stands between VS Code and the server on the way of ghost text: the switches, and a timing in the log. */

import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';
import type { Switches } from './switches.ts';

export function ghostTextMiddleware(switches: Switches, log: vscode.LogOutputChannel): Middleware {
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
  };
}
