// Pictures for the documentation: VS Code with the model that comes with the project.
// By hand: `node run.mjs picture OUT EDITORS VSIX`. What the model says is nobody's promise; that it says
// something, and how soon, is looked at.
import { Lab, until, within } from './lab.mjs';
import { VsCode } from './vscode.mjs';

const SOURCE = `"""Rooms, their sizes and their prices."""

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


def largest(rooms: list[Room]) -> Room:
    return max(rooms, key=lambda room: room.area())


def total_area(rooms: list[Room]) -> float:
    total = 0.0
`;

export async function runPicture(out, editors, vsix) {
  const lab = new Lab('pic', out);
  const code = new VsCode(lab, editors);
  try {
    lab.write('rooms/rooms.py', SOURCE);
    lab.write('rooms/README.md', '# Rooms\n');
    lab.installServer();
    await code.start(vsix, { user: { 'editor.autoClosingBrackets': 'never', 'workbench.activityBar.location': 'hidden' } });
    await code.openFolder(lab.folder('rooms'), true);
    await lab.scenario('the default model completes, from nothing', async figures => {
      await code.openFile('rooms.py');
      await code.press('Control+End');
      await code.type('    for room in rooms:\n', 25);
      await until('some ghost text', async () => {
        const ghost = await code.ghost();
        if (ghost.trim() === '') await code.nudge(' ');
        return ghost.trim() !== '';
      }, 30_000, 800);
      figures.first_ghost_ms = Date.now() - code.openedAt;
      figures.text = JSON.stringify(await code.ghost());
      await code.shot('nano-code');
      within('first ghost text in ms', figures.first_ghost_ms, 20_000);
    });
  } finally {
    await code.stop();
    lab.finish('picture.json');
    await lab.clean();
  }
  return lab.results;
}
