// What must hold in real VS Code, in the order a user would meet it. One window, one daemon.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { contextHash, equal, Lab, REPOSITORY, sleep, tryKill, until, within } from './lab.mjs';
import { VsCode } from './vscode.mjs';

const FUNCTION = 'def add(a, b):\n    ';
const RECOVERY_MS = 5000; // after a kill
const LOAD_MS = 2000; // the fake model's: a Python process starts, on a busy machine

/** What the fake model says where the line ends with "return ". */
function value(file, prefix, suffix = '') {
  return `fake_value_${contextHash({ path: file, language: 'python', prefix, suffix })}`;
}

export async function runVsCode(out, editors, vsix) {
  const lab = new Lab('vsc', out);
  const code = new VsCode(lab, editors);
  const scenario = (name, run) => lab.scenario(name, run, shot => code.shot(`failed-${shot}`));
  try {
    const workspace = lab.folder('project');
    for (const file of ['first.py', 'through.py', 'killed.py', 'server.py', 'switch.py', 'latency.py']) lab.write(`project/${file}`, FUNCTION);
    lab.write('project/unicode.py', 'def greet():\n    s = "');
    lab.write('project/documented.py', 'def add(a, b):\n    return a + b\n');
    lab.write('project/notes.md', '# Notes\n\n![a screenshot](shot.png)');
    lab.write('project/drawn.md', '# Drawn\n\n');
    fs.copyFileSync(path.join(REPOSITORY, 'plugin_vscode', 'media', 'icon.png'), path.join(workspace, 'shot.png'));
    lab.installServer();
    const typing = { 'editor.autoClosingBrackets': 'never', 'editor.autoClosingQuotes': 'never' };
    await code.start(vsix, {
      machine: { 'glm.model': 'fake' },
      // Without context the fake's answer follows from the open file alone.
      user: { ...typing, 'glm.trace.server': 'verbose', 'glm.context.enable': false },
    });

    await code.openFolder(workspace, true);

    await scenario('starts in a trusted folder and says so', async figures => {
      await code.status('sparkle', 'loading');
      figures.activation_ms = await activationMs(code);
      figures.activate_call_ms = Number(code.log().match(/activated in ([\d.]+) ms/)?.[1]);
      within('activation in ms', figures.activation_ms, 100);
    });

    await scenario('ghost text appears while typing, from nothing', async figures => {
      await code.openFile('first.py');
      await code.press('Control+End');
      await code.type('return ');
      await code.ghostIs(value('first.py', `${FUNCTION}return `), 15_000);
      figures.first_ghost_ms = Date.now() - code.openedAt;
      within('first ghost text in ms', figures.first_ghost_ms, 6000);
      await code.status('sparkle');
      await code.shot('ghost-text');
    });

    await scenario('Tab takes it and the saved file is right', async () => {
      await code.press('Tab');
      await code.save('project/first.py', `${FUNCTION}return ${value('first.py', `${FUNCTION}return `)}`);
      await code.shot('accepted');
    });

    await scenario('typing through makes no model call', async figures => {
      await code.openFile('through.py');
      await code.press('Control+End');
      await code.type('return ');
      const whole = value('through.py', `${FUNCTION}return `);
      await code.ghostIs(whole);
      figures.ghost_with_daemon_ms = Date.now() - code.openedAt;
      within('ghost text with a running daemon in ms', figures.ghost_with_daemon_ms, 1500);
      const calls = lab.modelCalls();
      for (let typed = 1; typed <= 9; typed++) {
        await code.type(whole[typed - 1]);
        await code.ghostIs(whole.slice(typed));
        await sleep(120);
      }
      equal('model calls while typing through', lab.modelCalls() - calls, 0);
      await code.shot('typed-through');
      await code.press('Control+ArrowRight'); // the next word, by VS Code's own key: here all that is left
      await code.save('project/through.py', `${FUNCTION}return ${whole}`);
    });

    await scenario('positions are right behind emoji and CJK', async () => {
      await code.openFile('unicode.py');
      await code.press('Control+End');
      await code.type('😀漢字 名前🎉"; return ');
      const prefix = 'def greet():\n    s = "😀漢字 名前🎉"; return ';
      await code.ghostIs(value('unicode.py', prefix));
      await code.shot('emoji-and-cjk');
      await code.press('Tab');
      await code.save('project/unicode.py', prefix + value('unicode.py', prefix));
    });

    await scenario('a daemon killed in mid-typing is back', async figures => {
      await code.openFile('killed.py');
      await code.press('Control+End');
      await code.type('retu');
      const before = await daemonOf(lab);
      tryKill(before, 'SIGKILL');
      const began = Date.now();
      await code.type('rn ');
      const prefix = `${FUNCTION}return `;
      await ghostByTyping(code, 'killed.py', prefix);
      figures.back_after_ms = Date.now() - began;
      within('ms until ghost text is back', figures.back_after_ms, RECOVERY_MS + LOAD_MS);
      if ((await daemonOf(lab)) === before) throw new Error('the daemon was not killed');
      const notices = await code.notices();
      within(`notices ${JSON.stringify(notices)}`, notices.length, 1);
      await code.status('sparkle');
      await code.shot('daemon-back');
    });

    await scenario('a language server killed five times is back each time', async figures => {
      await code.openFile('server.py');
      await code.press('Control+End');
      await code.type('return ');
      await code.command('Notifications: Clear All Notifications');
      figures.back_after_ms = [];
      for (let kill = 0; kill < 5; kill++) {
        const [pid] = lab.processes('--stdio');
        tryKill(pid, 'SIGKILL');
        const began = Date.now();
        await until('a new language server', () => lab.processes('--stdio').some(other => other !== pid), RECOVERY_MS);
        await ghostByTyping(code, 'server.py', `${FUNCTION}return `);
        figures.back_after_ms.push(Date.now() - began);
      }
      within('ms until ghost text is back', Math.max(...figures.back_after_ms), RECOVERY_MS);
      equal('notices', await code.notices(), []);
    });

    await scenario('off, off for a language, and snoozed mean silence', async () => {
      await code.openFile('switch.py');
      await code.press('Control+End');
      const prefix = `${FUNCTION}return `;
      await code.type('return ');
      await code.ghostIs(value('switch.py', prefix));
      const silent = async () => {
        const calls = lab.modelCalls();
        await code.nudge(' ');
        await sleep(600);
        equal('ghost text', await code.ghost(), '');
        equal('model calls', lab.modelCalls() - calls, 0);
      };
      await code.command('GLM: Toggle Ghost Text');
      await code.status('circle-slash');
      await silent();
      await code.shot('off');
      await code.command('GLM: Toggle Ghost Text');
      await code.status('sparkle');
      await code.command('GLM: Toggle Ghost Text for This Language');
      await code.status('circle-slash');
      await silent();
      await code.command('GLM: Toggle Ghost Text for This Language');
      await code.status('sparkle');
      await code.page.locator('#glm-lsp\\.glm-lsp\\.glm\\.status a').first().click();
      await code.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Snooze' }).first().waitFor();
      await sleep(400); // it fades in
      await code.shot('menu');
      await code.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Snooze' }).first().click();
      await code.page.locator('.quick-input-list .monaco-list-row', { hasText: '15 minutes' }).first().click();
      await code.status('bell-slash');
      await code.page.locator('.editor-instance .view-lines').first().click();
      await code.press('Control+End');
      await silent();
      await code.command('GLM: Resume Ghost Text');
      await code.status('sparkle');
      await ghostByTyping(code, 'switch.py', prefix);
    });

    await scenario('a key costs no more with the extension than without', async figures => {
      const bare = new VsCode(lab, editors, 'bare');
      const pressed = { with: [], without: [] };
      try {
        await bare.start(undefined, { user: typing });
        await bare.openFolder(workspace, true);
        for (const each of [code, bare]) {
          await each.openFile('latency.py');
          await each.press('Control+End');
        }
        for (let round = 0; round < 8; round++) {
          const [which, each] = round % 2 === 0 ? ['with', code] : ['without', bare];
          // The first keys of a round are left out.
          pressed[which].push(...(await each.keyLatencies('total = width * height + ', 40)).slice(4));
        }
      } finally {
        await bare.stop();
      }
      for (const which of ['with', 'without']) {
        figures[`${which}_median_ms`] = quantile(pressed[which], 0.5);
        figures[`${which}_p95_ms`] = quantile(pressed[which], 0.95);
        figures[`${which}_keys`] = pressed[which].length;
      }
      within('ms that the extension adds to a key', figures.with_median_ms - figures.without_median_ms, 5);
    });

    await scenario('status, logs and restart are at hand; logs hold no code', async () => {
      await code.command('GLM: Show Status');
      await code.page.locator('.view-line', { hasText: '"accepted"' }).first().waitFor();
      await code.shot('status');
      const [pid] = lab.processes('--stdio');
      await code.command('GLM: Restart Language Server');
      await until('another language server', () => lab.processes('--stdio').some(other => other !== pid));
      await code.status('sparkle');
      await code.command('GLM: Show Logs');
      await code.page.locator('.output-view .view-line').first().waitFor();
      await sleep(500);
      await code.shot('logs');
      const log = code.log();
      if (!log.includes('activated in')) throw new Error('the log channel is empty');
      for (const secret of ['def add', 'fake_value_', '漢字']) {
        if (log.includes(secret)) throw new Error(`the log holds code: ${secret}`);
      }
      await code.command('View: Hide Panel');
    });

    await scenario('the panel answers in words and about a pasted picture', async () => {
      await code.page.screenshot({ path: path.join(workspace, 'shot.png') });
      await code.openFile('first.py');
      await code.command('GLM: Open the Panel');
      const panel = await code.panel();
      await panel.locator('textarea').fill('What does this file do?');
      await panel.locator('textarea').press('Enter');
      await panel.locator('.assistant', { hasText: 'fake_answer_' }).waitFor({ timeout: 15_000 });
      await panel.locator('input[type=file]').setInputFiles(path.join(lab.root, 'project', 'shot.png'));
      await panel.locator('#pictures img').waitFor();
      await panel.locator('textarea').fill('What is this?');
      await code.shot('panel-picture');
      await panel.locator('button.main').click();
      await panel.locator('.assistant', { hasText: 'fake_sight_' }).waitFor({ timeout: 15_000 });
      await code.shot('panel');
    });

    await scenario('a screenshot that the text links to is read', async () => {
      await code.openFile('notes.md');
      await code.press('Control+End');
      await code.press('ArrowLeft');
      await code.press('ArrowLeft');
      await code.command('GLM: Ask About an Image…');
      await code.pick('Read its text');
      const panel = await code.panel();
      await panel.locator('.turn.user', { hasText: 'Read its text' }).waitFor({ timeout: 15_000 });
      await panel.locator('.assistant', { hasText: 'fake_sight_' }).last().waitFor();
      await code.shot('image-question');
    });

    await scenario('a picture is drawn into the workspace and linked', async () => {
      await code.openFile('drawn.md');
      await code.press('Control+End');
      await code.command('GLM: Draw Image…');
      await code.page.locator('.quick-input-title', { hasText: 'Draw which picture?' }).waitFor();
      await code.type('a red circle', 5);
      await code.press('Enter');
      await code.pick('64x64');
      await code.answer('Insert Link');
      await code.openFile('drawn.md');
      const file = await until('a picture in the workspace', () => fs.readdirSync(workspace).find(name => name.endsWith('.png') && name !== 'shot.png'));
      await code.press('Control+s');
      await until('its link', () => lab.read('project/drawn.md').includes(`](${file})`));
      await code.shot('drawn');
      await code.command('View: Close All Editors');
    });

    await scenario('a file is translated beside its source', async () => {
      await code.openFile('through.py');
      await code.command('GLM: Translate File…');
      await code.pick('JavaScript');
      await code.page.locator('.diff-editor, .monaco-diff-editor').first().waitFor({ timeout: 20_000 });
      await code.page.locator('.view-line', { hasText: 'fake_translation_' }).first().waitFor();
      await code.shot('translation');
      await code.answer('Create through.js');
      await until('the new file', () => fs.existsSync(path.join(workspace, 'through.js')) && lab.read('project/through.js').includes('fake_translation_'));
    });

    await scenario('documentation is proposed as a diff and written when taken', async () => {
      await code.openFile('documented.py');
      await code.press('Control+Home');
      await code.command('GLM: Write Documentation');
      await code.page.locator('.diff-editor, .monaco-diff-editor').first().waitFor({ timeout: 20_000 });
      await code.shot('documentation');
      await code.answer('Apply');
      await code.page.locator('.tab.active', { hasText: /^documented.py$/ }).waitFor();
      await code.page.locator('.view-line', { hasText: 'the fake model says' }).first().waitFor();
      await code.press('Control+s');
      await until('the docstring', () => lab.read('project/documented.py').includes('"""'));
    });

    await scenario('models are listed, and why there was no suggestion is told', async () => {
      await code.command('GLM: Pick Model…');
      await code.page.locator('.quick-input-list .monaco-list-row', { hasText: 'fake' }).first().waitFor();
      await code.shot('models');
      await code.press('Escape');
      await code.openFile('switch.py');
      await code.press('Control+End');
      await ghostByTyping(code, 'switch.py', `${FUNCTION}return `);
      await code.command('GLM: Why No Suggestion?');
      await code.page.locator('.tab.active', { hasText: 'GLM Last Suggestion' }).waitFor();
      await code.shot('why');
    });

    await scenario('a token goes from the secret storage to the server alone', async () => {
      await code.status('sparkle', 'loading');
      await code.command("GLM: Set the Team's Token…");
      await code.page.locator('.quick-input-title', { hasText: 'Token for a daemon' }).waitFor();
      await code.type('canary-token-4711', 0);
      await code.press('Enter');
      await until('a language server that was told the token', () => lab.processes('--stdio').some(pid => lab.environmentOf(pid).includes('GLM_LSP_TOKEN=canary-token-4711\0')));
      await code.status('sparkle', 'loading');
      if (code.log().includes('canary-token')) throw new Error('the log holds the token');
      for (const file of ['vscode/User/settings.json', 'vscode/Machine/settings.json']) {
        if (lab.read(file).includes('canary-token')) throw new Error(`${file} holds the token`);
      }
    });

    await scenario('light theme, settings page', async () => {
      await code.command('Preferences: Toggle between Light/Dark Themes');
      await code.openFile('switch.py');
      await ghostByTyping(code, 'switch.py', `${FUNCTION}return `);
      await code.shot('light');
      await code.press('Control+,');
      await code.page.locator('.settings-editor .suggest-input-container').first().waitFor();
      await code.type('@ext:glm-lsp.glm-lsp', 5);
      await code.page.locator('.setting-item-contents', { hasText: 'Enable' }).first().waitFor();
      await sleep(700);
      await code.shot('settings');
    });

    await scenario('a hostile workspace changes nothing, trusted or not', async figures => {
      const canary = await layTraps(lab);
      const caught = () => {
        figures.programs_run = fs.existsSync(canary.file) ? fs.readFileSync(canary.file, 'utf8').trim() : 'none';
        figures.requests_caught = canary.requests();
      };
      try {
        await code.openFolder(lab.folder('hostile'), false);
        await code.status('sparkle', 'loading');
        await code.openFile('trap.py');
        await code.press('Control+End');
        await code.type('return ');
        await ghostByTyping(code, 'trap.py', `${FUNCTION}return `);
        await code.shot('restricted');
        await code.press('Control+a'); // left unsaved, it would come back
        await code.type(FUNCTION.split('\n')[0] + '\n');
        await code.save('hostile/trap.py', FUNCTION);
        await code.openFolder(lab.folder('hostile'), true);
        await code.status('sparkle', 'loading');
        await code.openFile('trap.py');
        await code.press('Control+End');
        await code.type('return ');
        await ghostByTyping(code, 'trap.py', `${FUNCTION}return `);
        caught();
        equal('programs of the workspace that ran', figures.programs_run, 'none');
        equal('requests to the address of the workspace', figures.requests_caught, 0);
      } finally {
        caught();
        canary.close();
      }
    });
  } finally {
    await code.stop();
    lab.finish('vscode.json');
    await lab.clean();
  }
  return lab.results;
}

async function daemonOf(lab) {
  return until('the daemon', () => lab.daemonPid(), RECOVERY_MS);
}

/** The user goes on typing until the ghost text comes: the last character is typed again and again. */
async function ghostByTyping(code, file, prefix, patienceMs = 15_000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    await code.nudge(prefix.at(-1));
    try {
      return await code.ghostIs(value(file, prefix), 500);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

/** Nearest rank, one decimal. */
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(1));
}

/** Milliseconds as VS Code's own page of running extensions shows them. */
async function activationMs(code) {
  await code.command('Developer: Show Running Extensions');
  const list = code.page.locator('.runtime-extensions-editor');
  const row = list.locator('.monaco-list-row', { hasText: 'GLM: private code assistant' });
  await list.locator('.monaco-list-row').first().hover();
  await until('the extension among those that run', async () => {
    await code.page.mouse.wheel(0, 300);
    return (await row.count()) > 0;
  }, 10_000, 200);
  const text = await until('the activation time', async () => ((await row.textContent()) ?? '').match(/Activation: (\d+)ms/));
  await code.shot('running-extensions');
  await code.press('Escape');
  await list.waitFor({ state: 'detached' });
  return Number(text[1]);
}

/** A workspace that tries every way to choose a program, a model or an address. */
async function layTraps(lab) {
  const file = path.join(lab.root, 'canary.txt');
  let requests = 0;
  const listener = http.createServer((_, answer) => (requests++, answer.end('{}')));
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${listener.address().port}`;
  const trap = name => {
    const target = lab.write(`hostile/${name}`, `#!/bin/sh\necho ${name} >> ${file}\n`);
    fs.chmodSync(target, 0o755);
    return target;
  };
  const program = trap('evil.sh');
  const settings = {
    'glm.server.path': program,
    'glm.server.args': [program],
    'glm.server.command': [program],
    'glm.daemon.url': url,
    'glm.daemon.tokenFile': '/etc/hostname',
    'glm.model': 'hostile',
    'glm-lsp.trace.server': 'verbose',
  };
  lab.write('hostile/.vscode/settings.json', JSON.stringify({ ...settings, '[python]': settings }));
  for (const name of ['.venv/bin/glm-lsp', 'node_modules/.bin/glm-lsp', 'glm-lsp', 'python', 'python3']) trap(name);
  const python = `open(${JSON.stringify(file)}, 'a').write(__name__)\n`;
  for (const name of ['sitecustomize.py', 'usercustomize.py', 'glm_lsp/__init__.py', 'codegen/__init__.py', 'httpx.py', 'pygls.py']) {
    lab.write(`hostile/${name}`, python);
  }
  lab.write('hostile/.env', `PYTHONPATH=${lab.folder('hostile')}\nGLM_LSP_RUNTIME=${lab.folder('hostile')}\n`);
  lab.write('hostile/.glm-lsp.toml', `[daemon]\nurl = "${url}"\n`);
  lab.write('hostile/trap.py', FUNCTION);
  return { file, requests: () => requests, close: () => listener.close() };
}
