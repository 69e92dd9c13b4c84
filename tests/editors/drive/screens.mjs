// node screens.mjs OUT EDITORS PAGES: this project's own pages and terminal output, as screenshots with
// their text (see screenshot.mjs), for `glm-lsp eval vision --screens OUT`. Pages are .md and .html files.
import fs from 'node:fs';
import path from 'node:path';
import { openBrowser } from './chromium.mjs';
import { Lab, REPOSITORY } from './lab.mjs';
import { shoot } from './screenshot.mjs';
import { Terminal } from './terminal.mjs';

const COMMANDS = {
  help: '.venv/bin/glm-lsp --help',
  'ask-help': '.venv/bin/glm-lsp ask --help',
  'draw-help': '.venv/bin/glm-lsp draw --help',
  files: 'ls -l --time-style=long-iso vision/glm_vision | head -26',
  log: 'git log --oneline -24 | cut -c1-96',
  code: 'sed -n 1,26p vision/glm_vision/pixels.py',
  'code-two': 'sed -n 20,46p vision/glm_vision/tiling.py',
  grep: 'grep -n "def " vision/glm_vision/grounding.py',
  traceback: '.venv/bin/python -c "import json; json.loads(\'{1\')"',
  'type-error': '.venv/bin/python -c "\ndef total(items):\n    return sum(items) + \'x\'\n\nprint(total([1, 2]))\n"',
  disk: 'wc -l vision/glm_vision/*.py | tail -24',
};
const STYLES = [
  'body{font:15px/1.5 sans-serif;max-width:820px;margin:1.5em auto;color:#222;background:#fff}pre,code{font-family:"DejaVu Sans Mono",monospace;background:#f4f6f8}pre{padding:.6em}td,th{border:1px solid #ccd;padding:.2em .6em}table{border-collapse:collapse}',
  'body{font:14px/1.45 serif;max-width:900px;margin:1em auto;color:#ddd;background:#1e1f24}pre,code{font-family:"DejaVu Sans Mono",monospace;background:#2a2c33}pre{padding:.6em}td,th{border:1px solid #555;padding:.2em .6em}table{border-collapse:collapse}',
];

/** As much Markdown as these documents have. */
function htmlOf(markdown, style) {
  const safe = text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const inline = text => safe(text).replace(/`([^`]+)`/g, '<code>$1</code>').replace(/\*\*([^*]+)\*\*/g, '<b>$1</b>').replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1');
  const parts = markdown.split(/^(```[^\n]*\n[\s\S]*?\n```)$/m).map(part => {
    if (part.startsWith('```')) return `<pre>${safe(part.replace(/^```.*\n|\n```$/g, ''))}</pre>`;
    return part.split(/\n{2,}|\n(?=[-|#])/).map(block => {
      const heading = /^(#+) (.*)/.exec(block);
      if (heading) return `<h${heading[1].length}>${inline(heading[2])}</h${heading[1].length}>`;
      if (/^\|[-| :]+\|$/.test(block)) return '';
      if (block.startsWith('|')) return `<table><tr>${block.split('|').slice(1, -1).map(cell => `<td>${inline(cell.trim())}</td>`).join('')}</tr></table>`;
      return block.startsWith('- ') ? `<li>${inline(block.slice(2))}</li>` : `<p>${inline(block)}</p>`;
    }).join('\n');
  });
  return `<!doctype html><meta charset="utf-8"><style>${style}</style>${parts.join('\n')}`;
}

async function pages(lab, editors, folder) {
  const { context, page } = await openBrowser(editors, lab.folder('pages'), { width: 1000, height: 620 });
  for (const [number, name] of fs.readdirSync(folder).sort().entries()) {
    const text = fs.readFileSync(path.join(folder, name), 'utf8');
    await page.setContent(name.endsWith('.html') ? text : htmlOf(text, STYLES[number % STYLES.length]));
    for (const screen of [0, 1]) {
      await page.evaluate(top => scrollTo(0, top), screen * 620);
      await shoot(page, path.join(lab.out, `page-${path.parse(name).name}-${screen}.png`), 'web page');
    }
  }
  await context.close();
}

async function terminals(lab, editors) {
  const terminal = new Terminal(lab, editors);
  await terminal.open();
  for (const [name, command] of Object.entries(COMMANDS)) {
    await terminal.page.evaluate(() => globalThis.term.reset());
    terminal.start('/bin/bash', ['-c', command], REPOSITORY, { ...lab.environment(), NO_COLOR: '1' });
    await terminal.ended;
    await terminal.shot(name, 'terminal');
  }
  await terminal.close();
}

const [out, editors, folder] = process.argv.slice(2).map(name => path.resolve(name));
const lab = new Lab('screens', out);
try {
  await pages(lab, editors, folder);
  await terminals(lab, editors);
} finally {
  await lab.clean();
}
