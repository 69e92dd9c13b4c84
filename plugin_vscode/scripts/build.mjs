// Bundle the extension into dist/extension.js, with the licences of what is bundled in dist/NOTICES.txt,
// and put our own licence beside package.json, where vsce looks for it.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { metafile } = await esbuild.build({
  absWorkingDir: root,
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  bundle: true,
  minify: true,
  metafile: true,
  platform: 'node',
  format: 'cjs',
  target: 'node18', // VS Code 1.91 runs Node 20
  external: ['vscode'],
  legalComments: 'none', // whole licence texts instead, below
});

const packages = new Set(Object.keys(metafile.inputs).map(input => input.match(/^node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]).filter(Boolean));
const notices = [...packages].sort().map(folder => {
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
  const file = fs.readdirSync(path.join(root, folder)).find(entry => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${name} has no licence file`);
  return `${name} ${version} (${license})\n\n${fs.readFileSync(path.join(root, folder, file), 'utf8').trim()}\n`;
});
fs.writeFileSync(path.join(root, 'dist', 'NOTICES.txt'), notices.join(`\n${'-'.repeat(80)}\n\n`));
fs.copyFileSync(path.join(root, '..', 'LICENSE'), path.join(root, 'LICENSE'));
