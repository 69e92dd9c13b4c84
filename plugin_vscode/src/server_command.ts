/**
 * Which program is the language server. Pure: the file system and PATH come in as values.
 *
 * Invariant: nothing that lies inside an open workspace folder is ever chosen, neither by a relative
 * path, nor by a PATH entry (direnv and the like put `./node_modules/.bin` there), nor by a link.
 */

import path from 'node:path';

export const PROGRAM = 'glm-lsp';

export interface Surroundings {
  /** Value of the machine-scoped setting `glm.server.path`; empty when not set. */
  readonly setting: string;
  readonly searchPath: string;
  readonly home: string;
  readonly workspaceFolders: readonly string[];
  /** The path with all links resolved when it is a file that may be executed, else undefined. */
  readonly executable: (file: string) => string | undefined;
}

export type ServerCommand =
  | { readonly kind: 'found'; readonly file: string }
  | { readonly kind: 'missing' } // not on PATH
  | { readonly kind: 'notExecutable'; readonly file: string } // the setting names no program
  | { readonly kind: 'relative'; readonly file: string };

export function findServer(around: Surroundings): ServerCommand {
  const setting = around.setting.trim();
  if (setting !== '') return fromSetting(expandHome(setting, around.home), around);
  for (const folder of searchFolders(around)) {
    const file = path.join(folder, PROGRAM);
    const real = around.executable(file);
    if (real !== undefined && !isInside(file, around) && !isInside(real, around)) return { kind: 'found', file };
  }
  return { kind: 'missing' };
}

/** PATH first; then where pipx, uv and `pip --user` put programs, which a desktop's PATH may lack. */
function searchFolders({ searchPath, home }: Surroundings): string[] {
  const onPath = searchPath.split(path.delimiter).filter(folder => path.isAbsolute(folder));
  return [...onPath, path.join(home, '.local', 'bin'), '/usr/local/bin', '/opt/homebrew/bin'];
}

function fromSetting(file: string, around: Surroundings): ServerCommand {
  if (!path.isAbsolute(file)) return { kind: 'relative', file };
  const real = around.executable(file);
  if (real === undefined) return { kind: 'notExecutable', file };
  // The user's own settings may name a program inside the workspace: someone who develops glm-lsp.
  return { kind: 'found', file };
}

function expandHome(file: string, home: string): string {
  return file === '~' || file.startsWith('~/') ? path.join(home, file.slice(1)) : file;
}

function isInside(file: string, { workspaceFolders }: Surroundings): boolean {
  return workspaceFolders.some(folder => {
    const relative = path.relative(folder, file);
    return relative === '' || (!relative.startsWith('..') && !path.isAbsolute(relative));
  });
}
