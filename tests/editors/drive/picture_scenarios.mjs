// The models that come with the project, in both editors; `scripts/readme_pictures.py` makes the README's
// pictures of these screenshots. What a model says is nobody's promise: that it says something of the
// right form, and how soon, is looked at.
import fs from 'node:fs';
import path from 'node:path';
import { Lab, sleep, until, within } from './lab.mjs';
import { Neovim } from './neovim.mjs';
import { VsCode } from './vscode.mjs';

const ROOMS = `"""Rooms, their sizes and their prices."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Room:
    name: str
    width: float
    height: float

    def area(self) -> float:
        return self.width * self.height


def load_rooms(path: Path) -> list[Room]:
    with path.open() as file:
        data = json.load(file)
    return [Room(**entry) for entry in data]


@dataclass
class Door:
    width: float


def load_doors(path: Path) -> list[Door]:
`;
const WORDS = `def count_short_words(words: list[str], limit: int) -> int:
    """How many words have at most \`limit\` letters."""
    total = 0
    for word in words:
        if len(word) <= limit:
            total += 1
    return total
`;
const BASKET = `"""What a customer wants to buy."""


class Basket:
    def __init__(self, items):
        self.items = items
        self.discount = 0.0

    def heaviest(self):
        return max(self.items, key=lambda item: item.weight)

    def dearest(self):
`;
const ERROR = `Traceback (most recent call last):
  File "rooms.py", line 19, in load_rooms
    data = json.load(file)
ValueError: Expecting value: line 1 column 1`;

export async function runPicture(out, editors, vsix) {
  const lab = new Lab('pic', out);
  const code = new VsCode(lab, editors);
  const nvim = new Neovim(lab, editors, process.env.GLM_NVIM);
  const scenario = (name, run) => lab.scenario(name, run, shot => code.shot(`failed-${shot}`));
  const someGhost = async (editor, nudge) => {
    await until('some ghost text', async () => {
      if ((await editor.ghost()).trim() === '') await nudge();
      return (await editor.ghost()).trim() !== '';
    }, 30_000, 1500);
  };
  try {
    const workspace = lab.folder('rooms');
    lab.write('rooms/rooms.py', ROOMS);
    lab.write('rooms/error.md', '# The error of this morning\n\n![the terminal](error.png)');
    lab.write('rooms/README.md', '# Rooms\n\n');
    lab.folder('rooms', '.git');
    lab.installServer();
    await code.start(vsix, {
      user: {
        'editor.autoClosingBrackets': 'never',
        'workbench.activityBar.location': 'hidden',
        'diffEditor.useInlineViewWhenSpaceIsLimited': false,
      },
    });
    await terminalPicture(code, path.join(workspace, 'error.png'));
    await code.openFolder(workspace, true);

    await scenario('nano-code completes, from nothing', async figures => {
      await code.openFile('rooms.py');
      await code.press('Control+End');
      await code.type('    with path.open() as file:\n', 25);
      await someGhost(code, () => code.command('Trigger Inline Suggestion'));
      figures.first_ghost_ms = Date.now() - code.openedAt;
      figures.text = JSON.stringify(await code.ghost());
      await code.shot('nano-code');
      within('first ghost text in ms', figures.first_ghost_ms, 20_000);
    });

    await scenario('nano-translate translates a file beside its source', async () => {
      lab.write('rooms/words.py', WORDS); // only now: what the workspace holds, nano-code remembers
      await code.command('View: Toggle Primary Side Bar Visibility');
      await code.openFile('words.py');
      await code.command('GLM: Translate File…');
      await code.pick(/^Java(?!Script)/);
      await code.page.locator('.monaco-diff-editor').first().waitFor({ timeout: 30_000 });
      await code.page.locator('.view-line', { hasText: 'words' }).first().waitFor();
      await code.page.locator('.notifications-toasts .monaco-button', { hasText: 'Create' }).first().waitFor({ timeout: 30_000 });
      await sleep(500);
      await code.shot('nano-translate');
      await code.command('View: Close All Editors');
      await code.command('Notifications: Clear All Notifications');
    });

    await scenario('nano-vision reads a screenshot that the text links to', async () => {
      await code.openFile('error.md');
      await code.press('Control+End');
      await code.press('ArrowLeft');
      await code.press('ArrowLeft');
      await code.command('GLM: Ask About an Image…');
      await code.pick('Explain the error it shows');
      const panel = await code.panel(60_000);
      await panel.locator('.assistant', { hasText: 'rror' }).last().waitFor({ timeout: 45_000 });
      await code.page.locator('.notifications-toasts .notification-toast').first().waitFor({ state: 'detached' });
      await code.press('Escape');
      await code.page.screenshot(); // the next frame
      await code.shot('nano-vision');
      await code.page.locator('.editor-instance .view-lines').first().click();
      await code.command('View: Close All Editors');
    });

    await scenario('nano-image draws a picture into the workspace', async () => {
      await code.command('View: Toggle Primary Side Bar Visibility');
      await code.openFile('README.md');
      await code.press('Control+End');
      await code.command('GLM: Draw Image…');
      await code.page.locator('.quick-input-title', { hasText: 'Draw which picture?' }).waitFor();
      await code.type('a red heart', 5);
      await code.press('Enter');
      await code.pick('128x128');
      await code.answer('Insert Link');
      await until('a picture in the workspace', () => fs.readdirSync(workspace).some(name => name.endsWith('.png') && name !== 'error.png'), 30_000);
      await sleep(800);
      await code.shot('nano-image');
    });

    await scenario('nano-code completes in Neovim', async figures => {
      await nvim.terminal.open();
      await nvim.start(workspace, { settings: '{ inlineCompletion = { quiet = 0 } }' });
      lab.write('rooms/basket.py', BASKET);
      await nvim.edit('basket.py');
      await nvim.terminal.type('\rreturn ');
      await someGhost(nvim, () => nvim.terminal.type(' \u007f'));
      figures.text = JSON.stringify(await nvim.ghost());
      await nvim.shot('nano-code');
      await nvim.quit();
    });
  } finally {
    await code.stop();
    await nvim.terminal.close();
    lab.finish('picture.json');
    await lab.clean();
  }
  return lab.results;
}

/** What a terminal shows of an error, as a screenshot. */
async function terminalPicture(code, file) {
  await code.page.setContent(`<pre style="margin:0;padding:12px;display:inline-block;background:#1e1e1e;color:#d4d4d4;font:16px 'DejaVu Sans Mono'">${ERROR}</pre>`);
  await code.page.locator('pre').screenshot({ path: file });
}
