// node run.mjs vscode|neovim|picture OUT EDITORS WHAT: the scenarios of one editor; exit 1 when one fails.
// WHAT is the .vsix for VS Code, the nvim program for Neovim.
import path from 'node:path';
import { Lab } from './lab.mjs';

const LONGEST_MS = 380_000; // a little less than test_real_editors.py waits
const RUNS = {
  vscode: async () => (await import('./vscode_scenarios.mjs')).runVsCode,
  neovim: async () => (await import('./neovim_scenarios.mjs')).runNeovim,
  picture: async () => (await import('./picture_scenarios.mjs')).runPicture,
};

const giveUp = reason => async () => {
  console.error(`given up: ${reason}`);
  await Lab.current?.clean();
  process.exit(1);
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, giveUp(signal));
setTimeout(giveUp(`not done after ${LONGEST_MS} ms`), LONGEST_MS).unref();

const [editor, out, editors, what] = process.argv.slice(2);
const run = await RUNS[editor]();
const results = await run(path.resolve(out), path.resolve(editors), path.resolve(what));
process.exit(results.length > 0 && results.every(result => result.ok) ? 0 : 1);
