// Bundle the extension into dist/, with the licences of what is bundled in dist/NOTICES.txt, and put our
// own licence beside package.json, where vsce looks for it. Two bundles: activation reads the small one,
// dist/extension.js; the protocol library is in dist/lsp_client.js and is read when the server starts.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { metafile } = await esbuild.build({
  absWorkingDir: root,
  entryPoints: ['src/extension.ts', 'src/lsp_client.ts'],
  outdir: 'dist',
  bundle: true,
  minify: true,
  metafile: true,
  platform: 'node',
  format: 'cjs',
  target: 'node18', // VS Code 1.91 runs Node 20
  external: ['vscode'],
  plugins: [
    {
      name: 'lsp_client is a bundle of its own',
      setup: build => build.onResolve({ filter: /lsp_client\.ts$/ }, args => (args.kind === 'dynamic-import' ? { path: './lsp_client.js', external: true } : undefined)),
    },
  ],
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
