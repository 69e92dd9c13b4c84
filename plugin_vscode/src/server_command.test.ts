import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findServer, type Surroundings } from './server_command.ts';

function around(changes: Partial<Surroundings> & { files?: Record<string, string> }): Surroundings {
  const files = changes.files ?? {};
  return {
    setting: '',
    searchPath: '',
    home: '/home/me',
    workspaceFolders: ['/src/project'],
    executable: file => files[file],
    ...changes,
  };
}

test('the first program on PATH is taken', () => {
  const files = { '/b/glm-lsp': '/b/glm-lsp', '/c/glm-lsp': '/c/glm-lsp' };
  assert.deepEqual(findServer(around({ searchPath: '/a:/b:/c', files })), { kind: 'found', file: '/b/glm-lsp' });
});

test('a program inside the workspace is passed over, also behind a link or a relative entry', () => {
  const files = {
    '/src/project/.venv/bin/glm-lsp': '/src/project/.venv/bin/glm-lsp',
    '/links/glm-lsp': '/src/project/evil',
    'glm-lsp': '/anything',
    'bin/glm-lsp': '/anything',
  };
  const searchPath = '/src/project/.venv/bin:/links:bin:.:';
  assert.deepEqual(findServer(around({ searchPath, files })), { kind: 'missing' });
});

test('a folder that only shares the beginning of its name is not the workspace', () => {
  const files = { '/src/project-2/bin/glm-lsp': '/src/project-2/bin/glm-lsp' };
  assert.equal(findServer(around({ searchPath: '/src/project-2/bin', files })).kind, 'found');
});

test('~/.local/bin is searched after PATH', () => {
  const files = { '/home/me/.local/bin/glm-lsp': '/home/me/.local/bin/glm-lsp' };
  assert.equal(findServer(around({ files })).kind, 'found');
});

test('the setting wins, ~ is the home folder, a relative path is refused', () => {
  const files = { '/home/me/x': '/home/me/x', '/b/glm-lsp': '/b/glm-lsp' };
  assert.deepEqual(findServer(around({ setting: '~/x', files })), { kind: 'found', file: '/home/me/x' });
  assert.deepEqual(findServer(around({ setting: './x', searchPath: '/b', files })), { kind: 'relative', file: './x' });
  assert.deepEqual(findServer(around({ setting: '/no', searchPath: '/b', files })), { kind: 'notExecutable', file: '/no' });
});
